// tools/naru/mqtt_client_core.hpp
//
// MqttClientCore is one MQTT client: it says hello, publishes within the broker's window, answers
// what it receives, and after a reconnect sends again what was not acknowledged.
//
// Sans-IO:    bytes and time go in; bytes come out in output(), events out of next_event().
// Lives on:   one thread. Nothing here locks.
// Owned by:   a Connection of the loop, or a test. Keeps messages until they are acknowledged.
// Bounded by: the caller, who looks at backlog() before it publishes more.
// Spec:       MQTT 3.1.1 and 5.0, sections 3.1 to 3.14, 4.3, 4.4, 4.9.
//
//   offline --on_connected--> greeting --CONNACK 0--> online --disconnect--> closing
//   any     --on_disconnected--> offline; an event `refused` or `failed` asks for that
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "broker/mqtt/decoder.hpp"
#include "broker/mqtt/packets.hpp"
#include "storage/base/clock.hpp"

namespace naru::tools {

struct ClientSettings {
  std::string client_id;
  mqtt::Version version = mqtt::Version::v5;
  bool clean_start = true;
  std::uint32_t session_expiry_s = 0;  // MQTT 5; in 3.x a session not clean never expires.
  std::uint16_t keep_alive_s = 60;
  std::optional<std::string> user;
  std::optional<std::string> password;
  std::size_t window = 64;  // Publishes under way at once; the broker may want fewer.
};

struct OutgoingPublish {
  BytesView topic;
  BytesView payload;
  mqtt::Qos qos = mqtt::Qos::at_least_once;
  bool retain = false;
  std::optional<std::uint32_t> expiry_s = {};
  BytesView properties = {};  // A block of MQTT 5 properties without its length.
  std::uint64_t tag = 0;      // Comes back when it is acknowledged.
};

struct ClientEvent {
  enum class Kind : std::uint8_t {
    online,        // CONNACK; session_present is set.
    refused,       // CONNACK with a reason. Close the connection.
    message,       // A publish for us. Its views die with the next call.
    acknowledged,  // tag and reason of a publish of QoS 1 or 2.
    subscribed,    // SUBACK; codes.
    unsubscribed,  // UNSUBACK; codes, none in 3.x.
    failed,        // The broker ended it or broke the rules; text says how. Close the connection.
  };
  Kind kind = Kind::failed;
  mqtt::ReasonCode reason = mqtt::ReasonCode::success;
  bool session_present = false;
  std::uint64_t tag = 0;
  mqtt::Publish message;
  mqtt::ReasonCodes codes;
  std::string text;
};

class MqttClientCore {
 public:
  explicit MqttClientCore(ClientSettings settings);

  // The transport is there: CONNECT goes out. It was lost: what is under way waits for the next.
  void on_connected(Instant now);
  void on_disconnected();

  // The bytes stay borrowed until next_event() has said false; call it until then. Acknowledging
  // is part of taking the event: stop taking, and what follows is not acknowledged.
  void on_bytes(BytesView bytes, Instant now);
  bool next_event(ClientEvent& out);

  // Keep-alive; call about once a second.
  void on_time(Instant now);
  bool is_silent() const;  // The broker, for too long. Close the connection.

  // Sends now or as soon as connection and window allow, in order.
  void publish(const OutgoingPublish& message);
  void subscribe(std::span<const mqtt::SubscribeEntry> entries);  // REQUIRES: online().
  void unsubscribe(BytesView filter);                             // REQUIRES: online().
  void disconnect();                                              // REQUIRES: online().

  bool online() const { return state_ == State::online; }
  // Messages not acknowledged, or not even sent. Zero QoS counts until it is in output().
  std::size_t backlog() const { return outgoing_.size(); }
  std::uint64_t resent() const { return resent_; }
  const ClientSettings& settings() const { return settings_; }

  Bytes& output() { return output_; }  // To send; the caller takes from it and clears it.

 private:
  enum class State : std::uint8_t { offline, greeting, online, closing };
  enum class Awaits : std::uint8_t { nothing, puback, pubrec, pubcomp };

  struct Outgoing {
    Bytes packet;
    std::size_t id_offset = 0;  // Where the packet id lies in the packet.
    mqtt::PacketId id = 0;      // 0 until first sent.
    mqtt::Qos qos = mqtt::Qos::at_most_once;
    Awaits awaits = Awaits::nothing;
    std::uint64_t tag = 0;
  };

  struct Times {
    Instant now;
    Instant input;   // When the broker last sent anything.
    Instant output;  // When we last sent anything but an acknowledgement.
  };

  bool handle(const mqtt::Frame& frame, ClientEvent& out);
  bool on_connack(const mqtt::Frame& frame, ClientEvent& out);
  bool on_publish(const mqtt::Frame& frame, ClientEvent& out);
  bool on_acknowledgement(const mqtt::Frame& frame, ClientEvent& out);
  bool on_pubrel(const mqtt::Frame& frame, ClientEvent& out);
  bool on_suback(const mqtt::Frame& frame, ClientEvent& out);
  bool on_unsuback(const mqtt::Frame& frame, ClientEvent& out);
  bool on_disconnect(const mqtt::Frame& frame, ClientEvent& out);
  bool fail(ClientEvent& out, std::string text);
  void send_what_fits();
  void send(Outgoing& message);
  mqtt::PacketId free_id();
  void keep_rest();

  const ClientSettings settings_;
  State state_ = State::offline;
  std::size_t window_;
  std::deque<Outgoing> outgoing_;  // In order; the first in_flight_ were sent on this connection.
  std::size_t in_flight_ = 0;
  mqtt::PacketId last_id_ = 0;
  std::set<mqtt::PacketId> received_;  // QoS 2 between PUBREC and PUBREL.
  Bytes partial_;                      // The start of a packet that is not complete yet.
  BytesView input_;                    // What is left of it, or of the caller's bytes.
  Bytes output_;
  Times times_;
  std::uint64_t resent_ = 0;
};

// A reason code's name without underscores.
std::string in_words(mqtt::ReasonCode reason);

}  // namespace naru::tools
