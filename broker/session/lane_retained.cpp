#include "broker/session/lane_retained.hpp"

#include <utility>

#include "broker/session/retained_asker.hpp"
#include "storage/tables/retained.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {
constexpr std::size_t sweep_steps = 64;  // Topics looked at for expiry, each time.
}  // namespace

// One unit a topic, then one more that stands for all: where one of them fails, so does what is
// behind it.
bool LaneRetained::clear(const std::vector<Bytes>& topics, std::uint64_t request) {
  BytesView last;
  for (const Bytes& topic : topics) {
    if (index_.find(topic) == nullptr) continue;
    store(topic, nullptr, {});
    last = topic;
  }
  if (last.empty()) return false;
  UnitDraft unit{context_.units};
  unit.rows().erase(Family::retained, last);
  unit.request(request);
  unit.submit(true);
  return true;
}

void LaneRetained::store(BytesView topic, const MessageRef& message, ReplyTo reply) {
  ++versions_;
  const std::uint64_t version = newest();
  index_.put(topic, {version, message});
  UnitDraft unit{context_.units};
  write_retained(unit.rows(), topic, version, message);
  unit.reply(reply);
  unit.retains(topic);
  unit.submit(reply.number != 0);
}

void LaneRetained::on(hop::RetainedPut& put) {
  const MessageRef& message = put.message.message;
  const BytesView topic = message->view().topic;
  if (context_.units.is_behind_failed(put.reply)) return context_.units.refuse(put.reply);
  // A topic that has none is cleared on disk all the same: what cleared it in memory may still be
  // on its way there.
  const bool clears = message->view().payload.empty();
  if (!clears && !context_.room.sessions) {
    ++context_.counters.refused_disk_full;
    return context_.units.refuse(put.reply);
  }
  store(topic, clears ? nullptr : message, put.reply);
}

void LaneRetained::on(const hop::RetainedQuery& query) {
  RetainedStep step{context_.settings.retained_step, newest()};
  hop::RetainedFound found = find_retained(index_, query, context_.store_now, step);
  found.rest.shard = context_.settings.shard;
  if (!found.messages.empty() || !found.rest.query.filters.empty()) {
    context_.to_front(query.connection, std::move(found));
  }
}

void LaneRetained::load(BytesView topic, std::uint64_t version, MessageRef message) {
  index_.put(topic, {version, std::move(message)});
}

void LaneRetained::expire() {
  const Bytes topic = index_.find_expired(context_.store_now, sweep_steps);
  if (!topic.empty()) store(topic, nullptr, {});
}

// What was visible and found no room is tried again, so that a start finds what readers saw.
void LaneRetained::retry() {
  for (const Bytes& topic : std::exchange(failed_, {})) {
    const auto* const entry = index_.find(topic);
    store(topic, entry == nullptr ? nullptr : entry->message, {});
  }
}

}  // namespace naru::broker
