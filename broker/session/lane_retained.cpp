// LaneShard's part that keeps the retained messages of the topics that hash to this shard.
//
// A retained message is visible to new subscribers as soon as it is numbered, before it is on
// disk: a subscriber that came too late for the live message must not get an older one. What
// PUBACK promises still waits for the commit.

#include "broker/session/lane_shard.hpp"
#include "broker/session/retained_asker.hpp"
#include "storage/tables/retained.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {
constexpr std::size_t sweep_steps = 64;  // Topics looked at for expiry, each time.
}  // namespace

// One unit a topic, then one more that stands for all: where one of them fails, so does what is
// behind it.
bool LaneShard::clear_retained(const std::vector<Bytes>& topics, std::uint64_t request) {
  BytesView last;
  for (const Bytes& topic : topics) {
    if (retained_.find(topic) == nullptr) continue;
    put_retained(topic, nullptr, {});
    last = topic;
  }
  if (last.empty()) return false;
  Unit unit{*this};
  unit.rows().erase(Family::retained, last);
  unit.request(request);
  unit.submit(true);
  return true;
}

void LaneShard::put_retained(BytesView topic, const MessageRef& message, ReplyTo reply) {
  const std::uint64_t version = std::uint64_t{settings_.incarnation} << 40 | ++retained_versions_;
  retained_.put(topic, {version, message});
  Unit unit{*this};
  write_retained(unit.rows(), topic, version, message);
  unit.reply(reply);
  unit.retains(topic);
  unit.submit(reply.number != 0);
}

void LaneShard::on(hop::RetainedPut& put) {
  const MessageRef& message = put.message.message;
  const BytesView topic = message->view().topic;
  if (put.reply.number != 0 && is_behind_failed(put.reply)) return refuse(put.reply);
  // A topic that has none is cleared on disk all the same: what cleared it in memory may still be
  // on its way there.
  const bool clears = message->view().payload.empty();
  if (!clears && !room_.sessions) {
    ++counters_.refused_disk_full;
    return refuse(put.reply);
  }
  put_retained(topic, clears ? nullptr : message, put.reply);
}

void LaneShard::on(const hop::RetainedQuery& query) {
  hop::RetainedFound found = find_retained(retained_, query, store_now_);
  if (!found.messages.empty()) to_front(query.connection, std::move(found));
}

void LaneShard::load_retained(BytesView topic, std::uint64_t version, MessageRef message) {
  retained_.put(topic, {version, std::move(message)});
}

void LaneShard::expire_retained() {
  const Bytes topic = retained_.find_expired(store_now_, sweep_steps);
  if (!topic.empty()) put_retained(topic, nullptr, {});
}

// What was visible and found no room is tried again, so that a start finds what readers saw.
void LaneShard::retry_retained() {
  for (const Bytes& topic : std::exchange(failed_retained_, {})) {
    const auto* const entry = retained_.find(topic);
    put_retained(topic, entry == nullptr ? nullptr : entry->message, {});
  }
}

void LaneShard::put_meta(BytesView key, BytesView value) {
  Unit unit{*this};
  unit.rows().put(Family::meta, key, value);
  unit.submit(false);
}

}  // namespace naru::broker
