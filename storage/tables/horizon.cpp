#include "storage/tables/horizon.hpp"

#include <algorithm>

#include "storage/tables/journal.hpp"

namespace naru::storage {

void Horizon::open_session(std::uint16_t lane, SessionNumber session) {
  const std::lock_guard lock{mutex_};
  sessions_.try_emplace(Name{lane, session}, 0);
}

void Horizon::pass(std::uint16_t lane, SessionNumber session, std::uint64_t through) {
  const std::lock_guard lock{mutex_};
  const auto found = sessions_.find(Name{lane, session});
  if (found != sessions_.end()) found->second = std::max(found->second, through);
}

void Horizon::end_session(std::uint16_t lane, SessionNumber session) {
  const std::lock_guard lock{mutex_};
  sessions_.erase(Name{lane, session});
}

void Horizon::open_outbox(std::uint16_t lane, std::uint64_t id, const Origin& origin) {
  const std::lock_guard lock{mutex_};
  outboxes_.insert(Name{lane, id});
  origins_.insert(name_of(origin));
}

void Horizon::close_outbox(std::uint16_t lane, std::uint64_t id, const Origin& origin) {
  const std::lock_guard lock{mutex_};
  outboxes_.erase(Name{lane, id});
  origins_.erase(name_of(origin));
}

void Horizon::begin() {
  const std::lock_guard lock{mutex_};
  begun_ = true;
}

bool Horizon::droppable(Family family, BytesView, BytesView value) const {
  if (family != Family::journal) return false;
  JournalEntry entry;
  // What this release cannot read is not this release's to drop.
  if (!decode_journal_entry(value, entry)) return false;
  const MessageRef message = Message::decode(Bytes{entry.message});
  const std::lock_guard lock{mutex_};
  if (!begun_) return false;
  for (const JournalPart& part : entry.parts) {
    const std::uint64_t id = std::uint64_t{part.head.term} << 40 | part.head.index;
    if (part.kind == PartKind::outbox && outboxes_.contains(Name{part.head.lane, id})) return false;
    if (part.kind == PartKind::enqueued_once && message &&
        origins_.contains(name_of(message->view().origin))) {
      return false;
    }
    for (const Reference& reference : part.references) {
      const auto session = sessions_.find(Name{part.head.lane, reference.session});
      if (session != sessions_.end() && session->second < reference.number) return false;
    }
  }
  return true;
}

}  // namespace naru::storage
