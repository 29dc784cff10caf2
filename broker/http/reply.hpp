// broker/http/reply.hpp
//
// What all routes share: how an answer and a refusal look, how query parameters are read, how a
// long poll waits.
//
// Edge (a timer). Lives on shard 0.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "broker/http/http_message.hpp"
#include "broker/http/json_text.hpp"
#include "storage/base/clock.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

class Control;

// A request on its way through the API. REQUIRES: control outlives it.
struct Call {
  Control* control = nullptr;
  HttpRequest request;
};

HttpResponse reply(const Json& body, unsigned status = 200);
// The text is one sentence that names the remedy.
HttpResponse refuse(unsigned status, BytesView text);
HttpResponse refuse(const Error& error);
HttpResponse not_committed();  // The store did not take it.

struct NumberRange {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  std::uint64_t fallback = 0;  // Where the parameter is missing.
};
Result<std::uint64_t> number_parameter(const Query& query, BytesView name, NumberRange range);
// Empty where the parameter is missing.
Bytes text_parameter(const Query& query, BytesView name);
// true or false; false where the parameter is missing.
Result<bool> flag_parameter(const Query& query, BytesView name);
// Nothing unless the text is digits alone and fits.
std::optional<std::uint64_t> parse_number(BytesView text);

// How long a request may go on waiting.
class Patience {
 public:
  Patience(const HttpRequest& request, std::uint64_t seconds)
      : until_(std::chrono::steady_clock::now() + std::chrono::seconds{seconds}),
        abandoned_(request.abandoned) {}

  bool abandoned() const { return abandoned_(); }
  bool over() const { return abandoned_() || std::chrono::steady_clock::now() >= until_; }
  // A moment of 20 ms.
  static awaitable<void> pause();

 private:
  std::chrono::steady_clock::time_point until_;
  std::function<bool()> abandoned_;
};

inline constexpr std::uint64_t wait_seconds_max = 60;

}  // namespace naru::broker
