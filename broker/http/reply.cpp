#include "broker/http/reply.hpp"

#include <charconv>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

namespace naru::broker {

namespace {

constexpr Millis moment{20};

unsigned status_of(Errc code) {
  switch (code) {
    case Errc::invalid: return 400;
    case Errc::not_found: return 404;
    case Errc::refused: return 403;
    case Errc::busy: return 409;
    case Errc::no_space: return 507;
    case Errc::unavailable:
    case Errc::not_cached: return 503;
    case Errc::io:
    case Errc::corrupt:
    case Errc::newer: return 500;
  }
  return 500;
}

}  // namespace

HttpResponse reply(const Json& body, unsigned status) { return {status, dump(body), {}}; }

HttpResponse refuse(unsigned status, BytesView text) {
  Json body;
  body["error"] = text;
  return reply(body, status);
}

HttpResponse refuse(const Error& error) { return refuse(status_of(error.code), error.text); }

std::optional<std::uint64_t> parse_number(BytesView text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

HttpResponse not_committed() {
  return refuse(503, "the store did not take it; try again when its problem is solved");
}

Result<std::uint64_t> number_parameter(const Query& query, BytesView name, NumberRange range) {
  const auto found = query.find(name);
  if (found == query.end()) return range.fallback;
  const auto value = parse_number(found->second);
  if (!value || *value < range.least || *value > range.most) {
    return Error{Errc::invalid, Bytes{name} + " must be a whole number from " +
                                    std::to_string(range.least) + " to " +
                                    std::to_string(range.most) + ", not '" + found->second + "'"};
  }
  return *value;
}

Bytes text_parameter(const Query& query, BytesView name) {
  const auto found = query.find(name);
  return found != query.end() ? found->second : Bytes{};
}

Result<bool> flag_parameter(const Query& query, BytesView name) {
  const Bytes text = text_parameter(query, name);
  if (text.empty() || text == "false") return false;
  if (text == "true") return true;
  return Error{Errc::invalid, Bytes{name} + " must be true or false, not '" + text + "'"};
}

awaitable<void> Patience::pause() {
  auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::steady_timer timer{executor, moment};
  auto woken = co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  static_cast<void>(woken);
}

}  // namespace naru::broker
