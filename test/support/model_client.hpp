// test/support/model_client.hpp
//
// ModelClient is an MQTT client that obeys the specification to the letter and writes down all
// it sees: it keeps its session over connections, resends what is unacknowledged with DUP, takes
// QoS 1 and 2 in both directions, may be slow with its own acknowledgements, and may vanish.
//
// Sans-IO:    bytes, time and closings go in; bytes to write, a wish to close and records of a
//             History come out. No socket, clock or thread, so a simulator can own hundreds.
// Lives on:   one thread, that of its History.
// Owned by:   a simulator or a load loop; borrows the History, which must outlive it.
// Bounded by: window messages in flight; publish() refuses beyond.
// Spec:       MQTT 3.1.1 and 5.0, sections 4.1 (state), 4.3 (delivery), 4.4 (resending), 4.9.
//
//   closed --open--> connecting --CONNACK--> online --disconnect--> leaving --closed--> closed
//   any --vanish, closed--> closed
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker/mqtt/decoder.hpp"
#include "test/support/history.hpp"
#include "test/support/model_options.hpp"

namespace naru::test {

class ModelClient {
 public:
  enum class State : std::uint8_t { closed, connecting, online, leaving };
  // `peer`: the broker ended the connection in good order. `broken`: reset, crash, unknown.
  enum class ClosedBy : std::uint8_t { peer, broken };

  ModelClient(ModelOptions options, History& history);

  // A new transport is open: CONNECT is in the output. An older connection counts as lost.
  void on_open(Instant now);
  void on_bytes(BytesView bytes, Instant now);
  void on_closed(ClosedBy by, Instant now);
  void on_time(Instant now);
  Instant next_deadline() const;

  bool has_output() const { return !connection_.output.empty(); }
  Bytes take_output();
  // It wants its transport closed; call on_closed afterwards.
  bool wants_close() const { return connection_.wants_close; }

  // Each refuses (false, nothing) unless online; publish also when the window is full.
  std::optional<MessageId> publish(const ModelPublish& publish, Instant now);
  bool subscribe(const ModelSubscribe& subscribe, Instant now);
  bool unsubscribe(std::string_view filter, Instant now);
  bool disconnect(Instant now);
  // The transport is torn down without a word; the will is due.
  void vanish(Instant now);
  // It never comes back after a broken connection: its will, if any, is due.
  void retire(Instant now);
  // Writes down what only the run knows: drained, retained_read, session_ended, ...
  void note(Event event, Instant now);

  State state() const { return connection_.state; }
  std::size_t unacknowledged() const { return session_.outgoing.size(); }
  bool has_room() const;
  // Nothing in flight either way, nothing asked and unanswered.
  bool is_idle() const;
  const ModelOptions& options() const { return options_; }
  void set_clean_start(bool clean) { options_.clean_start = clean; }
  bool is_persistent() const;

 private:
  struct Outgoing {
    mqtt::PacketId packet_id = 0;
    MessageId id;
    std::uint32_t topic = 0;             // In the History.
    ModelPublish publish;                // Its topic is the History's.
    std::uint32_t first_connection = 0;  // 0: never sent yet.
    bool released = false;               // PUBREC came: from now on only PUBREL is sent.
    bool sent = false;                   // On the current connection.
  };
  // clang-format off
  struct Reply { Instant due; mqtt::PacketType type; mqtt::PacketId packet_id; };
  struct Request { std::uint32_t filter; mqtt::PacketType type; };
  // clang-format on
  struct SessionState {  // Outlives connections.
    std::deque<Outgoing> outgoing;
    // QoS 2 received, waiting for PUBREL: the topic in the History and the message, by packet id.
    using Held = std::map<mqtt::PacketId, std::pair<std::uint32_t, MessageId>>;
    Held held;
    Held doubtful;  // Held by a session that may have expired: the one found may be another.
    mqtt::PacketId last_id = 0;
    std::uint64_t counter = 0;
    Instant alive_at = Instant::never();  // The broker still had the connection then.
  };
  struct Connection {
    State state = State::closed;
    std::uint32_t number = 0;
    Bytes input, output;
    std::deque<Reply> replies;
    std::map<mqtt::PacketId, Request> requests;
    std::size_t server_window = 65'535;
    Instant last_sent{};
    bool wants_close = false;
    bool will_open = false;  // Accepted, and its fate not yet written down.
  };

  static std::uint16_t bits(std::initializer_list<std::pair<bool, std::uint16_t>> conditions);
  Record record(Event event, Instant now) const;
  bool may_have_expired(Instant now) const;
  void send_connect(Instant now);
  void send_publish(Outgoing& entry, Instant now);
  void send_waiting(Instant now);
  void send_due_replies(Instant now);
  void on_frame(const mqtt::Frame& frame, Instant now);
  void on_connack(const mqtt::Frame& frame, Instant now);
  void on_publish(const mqtt::Frame& frame, Instant now);
  bool hold(mqtt::PacketId id, const Record& received);
  void forget_received();
  void on_ack(const mqtt::Frame& frame, Instant now);
  void on_answer(const mqtt::Frame& frame, Instant now);
  MessageId will_id() const;
  void settle_will(Event fate, Instant now);
  void fail(std::string_view what, Instant now);
  void close(Instant now);
  mqtt::PacketId next_id();

  ModelOptions options_;
  History& history_;
  SessionState session_;
  Connection connection_;
};

}  // namespace naru::test
