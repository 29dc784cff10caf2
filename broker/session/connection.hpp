// broker/session/connection.hpp
//
// Connection is what the front knows of one network connection: where it stands in the protocol,
// what it is owed, and, where its session is clean, the session itself.
//
// Sans-IO data. Lives on the shard that has the socket. Owned by Front.
// Bounded by: output and waiting by the settings' limits, acks by the Receive Maximum.
//
//   awaiting_connect --CONNECT--> attaching --attached--> live --(either side ends it)--> closing
//        CONNECT with a password that takes long: --> judging --answered--> attaching
//        CONNECT with SCRAM: --> proving --proved--> attaching
#pragma once

#include <memory>

#include "broker/auth/scram.hpp"
#include "broker/mqtt/types.hpp"
#include "broker/session/ack_ring.hpp"
#include "broker/session/grants.hpp"
#include "broker/session/hop.hpp"
#include "broker/session/send_window.hpp"
#include "broker/session/shard_output.hpp"
#include "broker/session/throttle.hpp"
#include "broker/session/topic_aliases.hpp"
#include "broker/session/waiting_messages.hpp"
#include "storage/base/clock.hpp"
#include "storage/base/lazy_map.hpp"

namespace naru::broker {

// A QoS 2 message of a clean session, before PUBREL.
struct InboundMessage {
  storage::MessageRef message;
  StoreMillis due_at = 0;  // Not before; 0: at once.
};

// A SUBSCRIBE that waits until groups know their new member.
struct Joining {
  std::vector<std::pair<std::size_t, storage::FilterRow>> groups;  // With their places in codes.
  Bytes codes;
  std::vector<storage::FilterRow> retained_for;
  std::size_t missing = 0;
};

// A client that proves its password step by step.
struct ScramDialogue {
  ScramServer server;
  Bytes user;
  std::uint64_t proof = 0;
};

// What is kept of a client while it comes in.
struct Entrance {
  Bytes held;           // The body of CONNECT, until it is judged.
  Bytes claimed;        // The user of an exchange, before it is proved.
  Bytes answer;         // To its proof; goes out with CONNACK.
  Admission admission;  // While its will waits for a right.
};

struct Connection {
  enum class State : std::uint8_t { awaiting_connect, judging, proving, attaching, live, closing };

  ConnectionId id = 0;
  Peer peer;
  State state = State::awaiting_connect;
  mqtt::Version version = mqtt::Version::v3_1_1;
  bool dirty = false;              // Listed as having output.
  bool paused = false;             // Takes no input until it is resumed.
  bool settles = false;            // One has failed: nothing is read until all are answered.
  bool commands_wait = false;      // In the ledger, until the window has room for one.
  bool publish_waits : 1 = false;  // For SUBSCRIBEs that came before it: nothing is read.
  bool client_id_assigned : 1 = false, expiry_was_zero : 1 = true, has_will : 1 = false;
  bool wants_response_information : 1 = false, wants_reasons : 1 = false;
  bool judged : 1 = false;    // By the gate, and `proof` is of its admission.
  bool by_scram : 1 = false;  // It may prove itself again.
  bool asks_rights : 1 = false;
  bool is_bridge : 1 = false;  // Of another broker: it gets nothing back, and retain as published.
  LaneId lane = 0;
  std::uint16_t keep_alive_s = 0;
  std::uint16_t requested_keep_alive_s = 0;
  std::uint16_t receive_maximum = 65'535;
  std::uint32_t granted_expiry_s = 0;
  std::uint32_t requested_expiry_s = 0;
  std::uint32_t packet_size_max = 0;  // The client's; 0: none.
  std::uint32_t rights_open = 0;      // Questions without an answer; nothing is read meanwhile.
  std::uint16_t fences_open = 0;      // SUBACKs that wait for RetainedAsker; the same.
  std::uint16_t subscribes_open = 0;  // SUBSCRIBEs that do not count yet.
  std::uint16_t repeated_open = 0;  // PUBLISHes that came again; PUBREC follows that of the first.
  std::uint16_t open_qos2 = 0;      // Inbound, until PUBCOMP; at most our Receive Maximum.

  Bytes client_id;
  Bytes identity;
  TopicAliases aliases;
  std::unique_ptr<Entrance> entrance;    // Until it has come in.
  std::unique_ptr<Grants> granted;       // Made by grants().
  std::unique_ptr<ScramDialogue> scram;  // Under way.
  std::shared_ptr<const Acl> acl;        // Of its listener; none: it may do everything.
  std::uint64_t proof = 0;
  SessionNumber session = 0;  // 0: clean.
  std::uint64_t epoch = 0;
  std::uint64_t publishes = 0;  // Of this connection, for stamps.
  Instant last_received;
  Instant held_until = Instant::never();  // Nothing is read or acknowledged, and then it ends.
  std::unique_ptr<InputRate> rate;        // None: it may be as fast as it likes.

  Bytes output;  // Bytes for the socket, gathered over the turn.
  AckRing acks;
  LazyMap<mqtt::PacketId, std::uint64_t> receiving;  // -> place in acks.
  LazyMap<mqtt::PacketId, Joining> joining;

  // A clean session.
  std::vector<storage::FilterRow> filters;
  SendWindow window;
  WaitingMessages waiting;
  LazyMap<mqtt::PacketId, GroupPlace> lent;  // By groups, in flight.
  LazyMap<mqtt::PacketId, InboundMessage> inbound;
  std::uint64_t inbound_bytes = 0;
  LazyMap<mqtt::PacketId, Bytes> commands;  // In flight -> command id.

  // What it sends counts, and may be read.
  bool takes_input() const {
    return state == State::awaiting_connect || state == State::proving || state == State::live;
  }
  void set_proof(std::uint64_t of) {
    judged = true;
    proof = of;
  }
  bool is_held() const { return held_until != Instant::never(); }
  const Acl* token_acl() const { return granted ? granted->token_acl.get() : nullptr; }
  WallMillis rights_end_at() const { return granted ? granted->end_at : 0; }
  Grants& grants() {
    if (!granted) granted = std::make_unique<Grants>();
    return *granted;
  }
  bool is_ruled() const { return acl || token_acl() != nullptr; }
  bool is_in() const { return state == State::attaching || state == State::live; }
};

}  // namespace naru::broker
