// storage/tables/command_records.hpp
//
// Rows and records of the command ledger.
//
// Sans-IO values, each with one description of its fields for encoding and decoding. Frozen: a
// released body never changes (storage/tables/records.hpp).
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/archive.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/clock.hpp"
#include "storage/tables/session_records.hpp"

namespace naru::storage {

enum class CommandState : std::uint8_t {
  queued,
  sent,
  delivered,
  accepted,
  running,  // open
  succeeded,
  failed,
  rejected,
  expired,
  cancelled,
  superseded,  // ended
};

struct CommandStep {
  CommandState state = CommandState::queued;
  WallMillis at = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(state, at);
  }
};

struct CommandRow {
  Bytes device;
  Bytes id;
  Bytes name;
  Bytes payload;  // JSON text.
  WallMillis created_at = 0;
  WallMillis expires_wall = 0;
  StoreMillis expires_at = 0;
  std::vector<CommandStep> steps;  // The last one is the state it is in.
  Bytes result;                    // JSON text of the device's last answer; may be empty.
  SessionNumber session = 0;       // Where it is queued; 0: offered to a clean session.
  std::uint64_t queue_number = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(device, id, name, payload, created_at, expires_wall, expires_at, steps, result, session,
      queue_number);
  }
};

// ---- record bodies -----------------------------------------------------------------------------

struct CommandPut {
  CommandRow row;
  template <class Archive>
  void fields(Archive& a) {
    a(row);
  }
};
struct CommandErased {
  Bytes device;
  Bytes id;
  template <class Archive>
  void fields(Archive& a) {
    a(device, id);
  }
};

}  // namespace naru::storage
