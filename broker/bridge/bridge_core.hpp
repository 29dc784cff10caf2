// broker/bridge/bridge_core.hpp
//
// BridgeCore is one bridge: it keeps a connection to a remote broker, one to us, and lets a Relay
// carry messages between them. Ours is an ordinary client with a session, so what is published
// while the remote broker is away waits in that session's queue, on disk.
//
// Sans-IO:    bytes and time go in; bytes, wishes for connections and events come out.
// Lives on:   one thread. Not thread-safe.
// Owned by:   its edge (broker/net/bridge_link.hpp) or a test.
// Bounded by: relay.hpp; one connection each side, and one attempt at a time.
//
//   preparing --our session and its filters are there--> dialing --transport--> greeting
//   greeting --CONNACK--> joining --our CONNACK--> relaying
//   dialing, greeting, joining, relaying --lost--> resting --time--> dialing
//   any --stop()--> over; with `once` lost leads there, too
//
// After every input the edge makes connections what wished() says, sends output(), asks
// next_event() until there is none, and next_deadline().
#pragma once

#include <deque>

#include "broker/bridge/back_off.hpp"
#include "broker/bridge/relay.hpp"

namespace naru::broker {

struct BridgeEvent {
  enum class Kind : std::uint8_t {
    up,       // text: how it speaks.
    down,     // text: why. It will try again, or is over.
    refused,  // The broker does not let us subscribe; text: to what.
    dropped,  // text: which message, one of them, and why.
  };
  Kind kind = Kind::down;
  Bytes text;
};

class BridgeCore {
 public:
  enum class State : std::uint8_t {
    preparing,
    resting,
    dialing,
    greeting,
    joining,
    relaying,
    over
  };

  BridgeCore(BridgeSettings settings, Rng rng);

  void start(Instant now);
  // Says goodbye on both sides.
  void stop();

  // The connection that was wished for is there, or is not to be had, or is gone.
  void on_open(Side side, Instant now);
  void on_lost(Side side, BytesView why, Instant now);
  // Takes whole packets off the front of `bytes` and says how many bytes that was; the rest comes
  // again with more behind it, or when wants_input() says so.
  std::size_t receive(Side side, BytesView bytes, Instant now);
  void on_time(Instant now);
  // The preferred address answers while another one is used.
  void on_preferred_back(Instant now);

  // The number of the connection there is to be on that side; 0: none. Another number than the
  // last is another connection.
  std::uint64_t wished(Side side) const { return wished_[place(side)]; }
  std::size_t address() const { return address_; }
  bool wants_input(Side side) const;
  // The preferred address is to be tried, without MQTT.
  bool wants_probe() const { return probing_; }
  // Belongs to the connection wished for; where there is none any more, are the last words.
  Bytes& output(Side side) { return relay_.output(side); }
  Instant next_deadline() const;
  bool next_event(BridgeEvent& out);

  State state() const { return state_; }
  bool is_prepared() const { return prepared_; }  // Nothing that is published now misses it.
  const RelayCounters& counters() const { return relay_.counters(); }
  const BridgeSettings& settings() const { return settings_; }

 private:
  static std::size_t place(Side side) { return static_cast<std::size_t>(side); }

  void wish(Side side, Instant now);
  void dial(Instant now);
  void leave(BytesView why, Instant now);
  void part(bool tell);
  void greet_remote();
  void greet_local();
  Bytes on_packet(Side side, const mqtt::Frame& frame, Instant now);
  Bytes on_connack(Side side, const mqtt::Frame& frame, Instant now);
  Bytes on_remote_connack(const mqtt::Connack& connack, Instant now);
  void on_local_connack(Instant now);
  Bytes on_suback(Side side, const mqtt::Frame& frame, Instant now);
  Bytes on_disconnect(Side side, const mqtt::Frame& frame);
  void subscribe(Side side, bool session_present);
  void notify(Side side, bool up);
  void finish_preparing(Instant now);
  void report(BridgeEvent::Kind kind, Bytes text);
  void report_drops(Instant now);
  const Greeting& greeting() const { return settings_.greetings[greeting_]; }
  bool next_greeting();
  bool is_connected(Side side) const { return connected_[place(side)]; }

  const BridgeSettings settings_;
  Rng rng_;
  BackOff back_off_;
  Relay relay_;
  State state_ = State::resting;
  bool prepared_ = false, probing_ = false;
  std::uint64_t attempts_ = 0;
  std::uint64_t wished_[2] = {0, 0};
  bool connected_[2] = {false, false};  // CONNACK has come.
  std::size_t greeting_ = 0;
  std::size_t address_ = 0;
  std::size_t unanswered_subscribes_ = 0;
  std::deque<Bytes> subscribing_;  // Filters without SUBACK, at the remote broker.
  std::uint16_t keep_alive_s_ = 0;
  std::uint16_t remote_window_ = 0;
  Instant due_ = Instant::never();  // When the state has lasted too long, or long enough.
  Instant probe_due_ = Instant::never();
  Instant heard_, said_;  // To and from the remote broker, for keep-alive.
  std::optional<Instant> drop_told_;
  Bytes last_reason_;
  std::deque<BridgeEvent> events_;
};

}  // namespace naru::broker
