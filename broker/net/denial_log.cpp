#include "broker/net/denial_log.hpp"

#include "broker/session/denials.hpp"
#include "storage/base/log.hpp"

namespace naru::broker {

void log_denials(const std::vector<Denial>& denials) {
  for (const Denial& each : denials) {
    log(Severity::warning, "denied",
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
