// /v1/config: the configuration that is in force.

#include <nlohmann/json.hpp>

#include "broker/http/control.hpp"
#include "broker/http/routes.hpp"

namespace naru::broker {

// POST /v1/config/reload
Answer reload_configuration(Call call) {
  auto reloading = call.control->reload();
  const ReloadOutcome outcome = co_await std::move(reloading);
  Json body;
  body["problems"] = outcome.problems;
  if (outcome.done) co_return reply(body);
  Bytes text = "the configuration stays as it was:";
  for (const std::string& problem : outcome.problems) text.append("\n").append(problem);
  body["error"] = text;
  co_return reply(body, 422);
}

}  // namespace naru::broker
