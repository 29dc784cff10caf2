#include "test/sim/model_committer.hpp"

#include <map>

#include "storage/base/byte_reader.hpp"
#include "storage/base/check.hpp"
#include "storage/tables/journal.hpp"

namespace naru::test {

using namespace storage;  // NOLINT: units, rows and parts are the vocabulary of this file.

namespace {

// Retained messages and the node's own rows are in no lane; their order holds within the family.
std::uint32_t lane_of_row(const Batch::Change& change) {
  if (change.family == Family::retained || change.family == Family::meta) {
    return 0x10000u + static_cast<std::uint32_t>(change.family);
  }
  return ByteReader{change.key}.u16();
}

void copy_row(const Batch::Change& change, Batch& to) {
  switch (change.op) {
    case Batch::Op::put: return to.put(change.family, change.key, change.value);
    case Batch::Op::put_numbered: return to.put_numbered(change.family, change.key, change.value);
    case Batch::Op::erase: return to.erase(change.family, change.key);
    case Batch::Op::erase_range: return to.erase_range(change.family, change.key, change.value);
  }
}

std::vector<JournalPart> parts_of(const CommitUnit& unit) {
  Bytes entry{char{1}};
  ByteWriter writer{entry};
  writer.block({});
  writer.bytes(unit.parts);
  JournalEntry read;
  NARU_CHECK(decode_journal_entry(entry, read));
  return read.parts;
}

}  // namespace

std::vector<LanePiece> split_by_lane(const CommitUnit& unit) {
  std::map<std::uint32_t, CommitUnit> pieces;
  unit.rows.each(
      [&](const Batch::Change& change) { copy_row(change, pieces[lane_of_row(change)].rows); });
  if (!unit.parts.empty()) {
    for (const JournalPart& part : parts_of(unit)) {
      CommitUnit& piece = pieces[part.head.lane];
      piece.message = unit.message;
      encode_fields(part, piece.parts);
    }
  }
  std::vector<LanePiece> list;
  for (auto& [lane, piece] : pieces) list.push_back({lane, std::move(piece)});
  return list;
}

ModelCommitter::ModelCommitter(FaultKv& disk, std::uint64_t first_number, std::size_t sources,
                               Rng rng)
    : disk_(disk), next_number_(first_number), sources_(sources), rng_(rng) {}

void ModelCommitter::submit(std::size_t source, std::vector<CommitUnit>&& units) {
  for (CommitUnit& unit : units) sources_[source].waiting.push_back(std::move(unit));
}

bool ModelCommitter::idle() const {
  for (const Source& source : sources_) {
    if (!source.waiting.empty()) return false;
  }
  return members_.empty();
}

std::vector<ModelCommitter::Outcomes> ModelCommitter::step(Instant now, Duration sync_time) {
  if (!members_.empty()) {
    if (now < synced_at_) return {};
    if (!no_space_) disk_.sync();
    return answer();
  }
  if (idle()) return {};
  write_batch();
  const auto longest = static_cast<std::uint64_t>(sync_time.count()) + 1;
  synced_at_ = now + Duration{static_cast<std::int64_t>(rng_.below(longest))};
  return {};
}

void ModelCommitter::write_batch() {
  std::size_t waiting = 0;
  for (const Source& source : sources_) waiting += source.waiting.size();
  std::size_t wanted = rng_.chance(0.2) ? 1 : 1 + rng_.below(waiting);
  std::size_t tries = 0;
  while (members_.size() < wanted && ++tries < 10 * waiting + 10) {
    const std::size_t from = rng_.below(sources_.size());
    Source& source = sources_[from];
    if (source.waiting.empty()) continue;
    members_.push_back({from, std::move(source.waiting.front()), source.failing});
    source.waiting.pop_front();
  }
  batch_.clear();
  for (const Member& member : members_) {
    if (!member.failed) batch_.add(member.unit, member.source);
  }
  if (batch_.units() == 0) return;
  const auto done = disk_.commit(batch_.encode(next_number_), Durability::written);
  no_space_ = !done;
  if (done) {
    next_number_ += batch_.entries();
    return;
  }
  // Not only when they are told: a process that dies before that has written nothing behind them.
  for (const Member& member : members_) sources_[member.source].failing = true;
}

std::vector<ModelCommitter::Outcomes> ModelCommitter::answer() {
  std::vector<Outcomes> outcomes(sources_.size());
  std::size_t place = 0;
  for (const Member& member : members_) {
    CommitOutcome outcome;
    outcome.ticket = member.unit.ticket;
    if (member.failed || no_space_) {
      outcome.failure = Errc::no_space;
    } else {
      outcome.journal_number = batch_.number_of(place);
    }
    place += member.failed ? 0 : 1;
    outcomes[member.source].push_back(outcome);
  }
  members_.clear();
  batch_.clear();
  no_space_ = false;
  return outcomes;
}

void ModelCommitter::commit(const std::vector<std::pair<std::size_t, CommitUnit>>& units) {
  if (units.empty()) return;
  CommitBatch batch;
  for (const auto& [source, unit] : units) batch.add(unit, source);
  if (!disk_.commit(batch.encode(next_number_), Durability::written)) return;
  next_number_ += batch.entries();
}

std::set<ModelCommitter::Kept> ModelCommitter::crash_by_lanes() {
  std::set<Kept> told;
  for (const Member& member : members_) {  // Written already, and waiting for the sync.
    if (member.failed || no_space_) continue;
    for (const LanePiece& piece : split_by_lane(member.unit)) {
      told.insert({member.source, member.unit.ticket, piece.lane});
    }
  }
  // A lane's leader is one source, so the order within a lane is that of its source.
  std::map<std::uint32_t, bool> open;  // Lanes whose prefix goes on.
  const double stop = rng_.chance(0.3) ? 0.02 : 0.3;
  std::vector<std::pair<std::size_t, CommitUnit>> kept;
  for (std::size_t from = 0; from < sources_.size(); ++from) {
    if (sources_[from].failing) continue;
    for (const CommitUnit& unit : sources_[from].waiting) {
      for (LanePiece& piece : split_by_lane(unit)) {
        const bool none_of_lanes = piece.lane > 0xffff;
        const auto lane =
            none_of_lanes ? piece.lane + static_cast<std::uint32_t>(from) * 0x100 : piece.lane;
        auto state = open.try_emplace(lane, rng_.chance(0.7)).first;
        if (rng_.chance(stop)) state->second = false;
        if (!state->second) continue;
        told.insert({from, unit.ticket, piece.lane});
        kept.emplace_back(from, std::move(piece.unit));
      }
      if (rng_.chance(0.3)) {
        commit(kept);
        kept.clear();
      }
    }
  }
  commit(kept);
  disk_.sync();
  return told;
}

}  // namespace naru::test
