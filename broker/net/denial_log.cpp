#include "broker/net/denial_log.hpp"

#include "broker/session/denials.hpp"
#include "storage/base/log.hpp"

namespace naru::broker {

namespace {

// Clients that go away without a word are daily bread; broken ones are for who looks.
Severity severity_of(Denial::Kind kind) {
  if (kind == Denial::Kind::silent) return Severity::info;
  return kind == Denial::Kind::protocol ? Severity::notice : Severity::warning;
}

}  // namespace

void log_denials(const std::vector<Denial>& denials) {
  for (const Denial& each : denials) {
    log(severity_of(each.kind), "denied",
        {{"what", name_of(each.kind)},
         {"client", each.client_id},
         {"user", each.user},
         {"address", each.address},
         {"topic", each.topic},
         {"rule", each.why},
         {"more", each.more}});
  }
}

}  // namespace naru::broker
