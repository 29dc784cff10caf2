#include "broker/session/delayed_topic.hpp"

#include <charconv>

#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {
constexpr BytesView first_level = "$delayed";
}  // namespace

bool is_delayed(BytesView topic) {
  return topic.starts_with(first_level) &&
         (topic.size() == first_level.size() || topic[first_level.size()] == '/');
}

bool take_delay(BytesView& topic, std::uint32_t& seconds) {
  if (topic.size() <= first_level.size()) return false;
  const BytesView rest = topic.substr(first_level.size() + 1);
  const std::size_t slash = rest.find('/');
  if (slash == BytesView::npos) return false;
  const BytesView real = rest.substr(slash + 1);
  // A delay of a delay would be two ways to say one thing.
  if (real.empty() || is_delayed(real)) return false;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + slash, number);
  if (error != std::errc{} || end != rest.data() + slash) return false;
  if (number > limits::delay_seconds) return false;
  topic = real;
  seconds = number;
  return true;
}

}  // namespace naru::broker
