#include "test/sim/sim_network.hpp"

#include <utility>

namespace naru::test {

using ClosedBy = ModelClient::ClosedBy;

namespace {
constexpr std::uint64_t half_open_ms = 4'000;  // How long the broker may not notice, at most.
}  // namespace

SimNetwork::SimNetwork(LinkId first, const Weather& weather, Rng& rng)
    : weather_(weather), rng_(rng), last_link_(first - 1) {}

std::size_t SimNetwork::add(ModelClient& client, bool narrow) {
  ends_.push_back({&client, narrow});
  return ends_.size() - 1;
}

Bytes SimNetwork::take_some(Bytes& bytes) {
  std::size_t size = bytes.size();
  if (rng_.chance(weather_.partial)) size = rng_.below(size + 1);
  Bytes taken = bytes.substr(0, size);
  bytes.erase(0, size);
  return taken;
}

void SimNetwork::open(std::size_t place, SimNode& node, Instant now) {
  End& end = ends_[place];
  end.link = ++last_link_;
  Link& link = links_[end.link];
  link.end = place;
  link.up_at = link.down_at = now;
  node.open(end.link, now);
  end.client->on_open(now);
}

// The client has no connection any more. What it had sent is on its way, up to some byte.
// half_open: the broker does not notice at once.
void SimNetwork::detach(std::size_t place, Instant now, bool half_open) {
  End& end = ends_[place];
  if (end.link == 0) return;
  Link& link = links_[end.link];
  link.attached = false;
  link.down.clear();
  link.up.resize(rng_.below(link.up.size() + 1));
  const auto delay = half_open ? rng_.below(half_open_ms) : rng_.below(5);
  link.hang_up_at = now + Millis{static_cast<std::int64_t>(delay)};
  end.link = 0;
}

void SimNetwork::cut(std::size_t place, Instant now) {
  detach(place, now, rng_.chance(weather_.half_open));
  if (rng_.chance(0.5)) {
    ends_[place].client->vanish(now);
  } else {
    ends_[place].client->on_closed(ClosedBy::broken, now);
  }
}

void SimNetwork::pump_up(LinkId id, Link& link, SimNode& node, Instant now) {
  ModelClient& client = *ends_[link.end].client;
  if (link.attached && client.has_output()) link.up += client.take_output();
  if (now >= link.up_at && !link.up.empty() && rng_.chance(0.8)) {
    node.input(id, take_some(link.up));
  }
  if (now >= link.hang_up_at && link.up.empty()) {
    node.hang_up(id);
    link.hang_up_at = Instant::never();
  }
}

void SimNetwork::pump_down(LinkId id, Link& link, SimNode& node, Instant now) {
  const End& end = ends_[link.end];
  const std::size_t room = end.narrow ? 256 : 65'536;
  if (link.down.size() < room) link.down += node.take_output(id, room - link.down.size());
  if (!link.attached) return link.down.clear();
  if (now >= link.down_at && !link.down.empty() && rng_.chance(0.8)) {
    end.client->on_bytes(take_some(link.down), now);
  }
}

// False: both sides have let go of it.
bool SimNetwork::pump(LinkId id, Link& link, SimNode& node, Instant now) {
  End& end = ends_[link.end];
  if (!calm_ && rng_.chance(weather_.stall)) {
    (rng_.chance(0.5) ? link.up_at : link.down_at) =
        now + Millis{static_cast<std::int64_t>(rng_.below(300))};
  }
  pump_up(id, link, node, now);
  pump_down(id, link, node, now);
  const SimNode::Ending ending = node.ending_of(id);
  if (ending.ended && link.down.empty()) {
    if (link.attached) {
      const bool heard = ending.in_good_order && link.up.empty() && !end.client->has_output();
      end.link = 0;
      end.client->on_closed(heard ? ClosedBy::peer : ClosedBy::broken, now);
    }
    return false;
  }
  if (link.attached && end.client->wants_close()) {
    detach(link.end, now, false);
    end.client->on_closed(ClosedBy::broken, now);
  }
  return true;
}

void SimNetwork::step(SimNode& node, Instant now) {
  for (auto at = links_.begin(); at != links_.end();) {
    at = pump(at->first, at->second, node, now) ? std::next(at) : links_.erase(at);
  }
}

void SimNetwork::on_broker_dead(Instant now) {
  for (auto& [id, link] : links_) {
    End& end = ends_[link.end];
    if (!link.attached) continue;
    if (!link.down.empty()) end.client->on_bytes(take_some(link.down), now);
    end.link = 0;
    end.client->on_closed(ClosedBy::broken, now);
  }
  links_.clear();
}

void SimNetwork::calm() {
  calm_ = true;
  weather_.partial = 0;
}

}  // namespace naru::test
