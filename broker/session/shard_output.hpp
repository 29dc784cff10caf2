// broker/session/shard_output.hpp
//
// What the cores of one shard ask of the world outside, gathered over one turn of its loop, and
// what they are told once about it.
//
// Sans-IO values. Filled by the shard's cores, emptied by its edge (broker/net/shard.hpp, or the
// simulator). Lives on the shard. Bounded by what one turn of input can cause.
//
// ORDER, once for all: the edge takes `horizon` first, then `resume_commits`, then hands `units` to
// the committer, then `hops` to the other shards, then answers `fences`, then sends output. Nothing
// that depends on a unit is in any of the other lists before that unit's outcome came back.
#pragma once

#include <cstdint>
#include <vector>

#include "broker/auth/certificate_fields.hpp"
#include "broker/auth/gate.hpp"
#include "broker/mqtt/types.hpp"
#include "broker/routing/filter_index.hpp"
#include "broker/session/hop.hpp"
#include "broker/session/shard_counters.hpp"
#include "broker/session/shard_settings.hpp"
#include "storage/base/clock.hpp"
#include "storage/kv/commit_unit.hpp"

namespace naru::broker {

// What the disk has room for. Acknowledgements, cursors and whatever frees room always go through.
struct DiskRoom {
  bool streams = true;
  bool sessions = true;  // And retained messages.
  bool ledger = true;
  bool operator==(const DiskRoom&) const = default;
};

// What else is known of who connects; most are nobody until they say so.
struct PeerNames {
  Bytes user;         // Whom the certificate names; empty: nobody.
  Bytes common_name;  // Of the certificate; empty: it has none.
  PeerCertificate certificate;
};

// What is known of a connection before its first packet.
struct Peer {
  Bytes address;
  ListenerNumber listener = 0;
  bool user_from_certificate = false;  // Then CONNECT's user name and password do not count.
  bool own_bridge = false;             // It is one of our bridges: nobody asks what it may.
  mqtt::ReasonCode refusal{};          // A limit keeps it out: the answer to its CONNECT.
  mqtt::Qos max_qos = mqtt::Qos::exactly_once;  // Of what it publishes, and is granted.
  std::shared_ptr<const PeerNames> names{};
  BytesView user() const { return names ? BytesView{names->user} : BytesView{}; }
  BytesView common_name() const { return names ? BytesView{names->common_name} : BytesView{}; }
};

// What the store may let go of: the journal keeps an entry until every place it names has passed.
struct HorizonChange {
  enum class Kind : std::uint8_t {
    session_opened,
    session_passed,
    session_ended,
    outbox_opened,
    outbox_closed
  };
  Kind kind = Kind::session_opened;
  LaneId lane = 0;
  std::uint64_t number = 0;   // Session number or outbox id.
  std::uint64_t through = 0;  // session_passed: the queue number.
  storage::Origin origin;     // outbox_opened, outbox_closed: of its message.
};

// Messages a queue or an outbox needs back in memory.
struct Fetch {
  LaneId lane = 0;
  SessionNumber session = 0;  // 0: the outbox below.
  std::uint64_t outbox = 0;
  std::vector<std::uint64_t> numbers;          // Queue numbers, ascending.
  std::vector<std::uint64_t> journal_numbers;  // Of the same places.
};
struct Fetched {
  Fetch request;
  std::vector<storage::MessageRef> messages;  // Same places; empty where the journal has none.
};

struct HandOver {
  ConnectionId connection = 0;
  std::uint16_t shard = 0;
  Peer peer;
};
// A request of the API that waited for a commit.
struct Answered {
  std::uint64_t request = 0;
  bool failed = false;
};

// What a client was not allowed or did wrong, for the log (broker/session/denials.hpp).
struct Denial {
  enum class Kind : std::uint8_t {
    connect,
    publish,
    subscribe,
    deliver,
    // A limit keeps the connection out (broker/session/denials.cpp has their words).
    full,
    address_full,
    connection_rate,
    address_rate,
    memory,
    late,  // It has not said CONNECT in time.
    // It asks for more than a limit allows.
    filter_levels,
    filters_full,
    client_rate,
    unreleased,
    // Its connection ends: it broke the protocol, or was silent too long.
    protocol,
    silent,
  };
  Kind kind = Kind::connect;
  Bytes client_id, user, address;
  Bytes topic;  // Or filter; empty: connect.
  Bytes why;
  std::uint64_t more = 0;  // Of the same client, user and kind, since the last that was told.
};

struct ShardOutput {
  std::vector<HorizonChange> horizon;
  std::vector<storage::CommitUnit> units;
  std::vector<std::vector<Hop>> hops;   // By shard; our own place is the local queue.
  std::vector<hop::RouteFence> fences;  // To be answered when all of `hops` is handed over.
  std::vector<ConnectionId> dirty;      // Have bytes to send.
  std::vector<ConnectionId> closing;    // To be closed when their output is sent.
  std::vector<ConnectionId> resumed;    // Will take input again.
  std::vector<HandOver> hand_overs;
  std::vector<Fetch> fetches;
  std::vector<Answered> answered;
  std::vector<Denial> denials;
  std::vector<Application> applications;  // To be judged elsewhere.
  std::vector<RightQuestion> questions;   // The same.
  bool resume_commits = false;            // The committer may take units of this shard again.
};

}  // namespace naru::broker
