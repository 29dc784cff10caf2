// Front's part that asks a service of the operator for rights (acl_http_url) and waits with what
// depends on them. While a question is open nothing more is read from that client, so the order of
// what it says stays.

#include <algorithm>
#include <utility>

#include "broker/session/connection_values.hpp"
#include "broker/session/front.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

// However short an answer may be kept: the packet it was asked for is looked at again.
constexpr Millis shortest_keep{1'000};

Access access_of(Denial::Kind kind) {
  return kind == Denial::Kind::publish ? Access::write : Access::read;
}

Bytes why_denied(const KnownRight* known) {
  // Of a filter in 3.x, which acl_file alone would let pass.
  if (known == nullptr) return "acl_file refuses it, so acl_http_url was not asked";
  return known->fault.empty() ? "acl_http_url denies it" : "acl_http_url failed: " + known->fault;
}

}  // namespace

bool Front::knows_right(Connection& c, Denial::Kind kind, BytesView topic) {
  if (!c.asks_rights) return true;
  const KnownRight* const known = find_right(c, access_of(kind), topic);
  if (known != nullptr && now_ < known->until) return true;
  // Between packets: those of the one that waits are all needed, however many it names.
  auto& rights = c.grants().known;
  if (c.rights_open == 0 && rights.size() >= limits::known_rights) rights.clear();
  output_.questions.push_back({c.id, c.peer.listener, c.identity, c.client_id, c.peer.address,
                               Bytes{topic}, access_of(kind)});
  ++c.rights_open;
  return false;
}

void Front::on_right(ConnectionId id, const RightAnswer& answer) {
  Connection* const c = find(id);
  if (c == nullptr || c->rights_open == 0) return;
  if (!answer.fault.empty()) ++counters_.failed_access_calls;
  auto& rights = c->grants().known;
  std::erase_if(rights, [&](const KnownRight& each) {
    return now_ >= each.until || (each.access == answer.access && each.topic == answer.topic);
  });
  rights.push_back({answer.topic, answer.access, answer.allowed, answer.fault,
                    now_ + std::max(answer.keep, shortest_keep)});
  if (--c->rights_open != 0) return;
  if (c->state == Connection::State::judging)
    return enter_held(*c, std::exchange(c->entrance->admission, {}));
  if (!std::exchange(c->paused, false)) return;
  c->last_received = now_;
  output_.resumed.push_back(id);
}

// REQUIRES: knows_right().
bool Front::was_granted(const Connection& c, Denial::Kind kind, BytesView topic) {
  if (!c.asks_rights) return true;
  const KnownRight* const known = find_right(c, access_of(kind), topic);
  if (known != nullptr && known->allowed) return true;
  explain(c, kind, topic, why_denied(known));
  return false;
}

}  // namespace naru::broker
