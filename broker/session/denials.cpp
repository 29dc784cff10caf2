#include "broker/session/denials.hpp"

#include <array>
#include <utility>

namespace naru::broker {

namespace {

struct KindRow {
  const char* name;
  std::uint64_t ShardCounters::*counter;
};
// In the order of Denial::Kind.
constexpr auto kinds = std::to_array<KindRow>({
    {"connect", &ShardCounters::denied_connects},
    {"publish", &ShardCounters::denied_publishes},
    {"subscribe", &ShardCounters::denied_subscribes},
    {"deliver", &ShardCounters::denied_deliveries},
});

}  // namespace

const char* name_of(Denial::Kind kind) { return kinds[static_cast<std::size_t>(kind)].name; }

bool Denials::take(Denial::Kind kind, BytesView client_id, Instant now) {
  ++(counters_.*kinds[static_cast<std::size_t>(kind)].counter);
  const RateLimit::Verdict verdict = limit_.ask(client_id, now);
  more_ = verdict.swallowed;
  return verdict.pass;
}

void Denials::tell(Denial denial) {
  denial.more = more_;
  output_.denials.push_back(std::move(denial));
}

}  // namespace naru::broker
