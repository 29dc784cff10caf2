// /v1/health: whether the process lives, and whether it can do its work. The socket opens when the
// store has been recovered, so that whoever gets an answer need not ask for that.

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "broker/http/control.hpp"
#include "broker/http/routes.hpp"

namespace naru::broker {

namespace {

constexpr std::uint64_t tick_seconds = 1;

using Ticks = std::vector<bool>;  // Of every shard: it has had a turn since it was asked.

awaitable<void> await_tick(Control* control, std::uint16_t shard, std::shared_ptr<Ticks> ticks) {
  auto running = control->run(shard, [](ShardCore&) {});
  co_await std::move(running);
  (*ticks)[shard] = true;
}

// Asks all shards at once; those that do not answer in time stay false.
awaitable<Ticks> ask_ticks(Control* control, HttpRequest request) {
  auto ticks = std::make_shared<Ticks>(control->shards(), false);
  auto executor = co_await boost::asio::this_coro::executor;
  for (std::uint16_t shard = 0; shard < control->shards(); ++shard) {
    boost::asio::co_spawn(executor, await_tick(control, shard, ticks), boost::asio::detached);
  }
  const Patience patience{request, tick_seconds};
  while (!patience.over() && std::ranges::find(*ticks, false) != ticks->end()) {
    auto moment = Patience::pause();
    co_await std::move(moment);
  }
  co_return *ticks;
}

}  // namespace

// GET /v1/health/live
Answer get_live(Call) {
  Json body;
  body["live"] = true;
  co_return reply(body);
}

// GET /v1/health/ready
Answer get_ready(Call call) {
  auto asking = ask_ticks(call.control, call.request);
  const Ticks ticks = co_await std::move(asking);
  const NodeFacts facts = call.control->facts();
  std::vector<std::string> reasons;
  if (facts.listeners.empty()) reasons.push_back("no listener is open");
  for (std::size_t shard = 0; shard < ticks.size(); ++shard) {
    if (!ticks[shard]) {
      reasons.push_back("shard " + std::to_string(shard) + " did not answer within " +
                        std::to_string(tick_seconds) + " s");
    }
  }
  if (!facts.room.sessions) {
    reasons.push_back("the disk is " + std::to_string(facts.disk_percent) +
                      " % full, and messages for sessions are refused until there is room");
  }
  Json body;
  body["ready"] = reasons.empty();
  body["reasons"] = reasons;
  co_return reply(body, reasons.empty() ? 200 : 503);
}

}  // namespace naru::broker
