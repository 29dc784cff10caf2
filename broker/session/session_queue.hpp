// broker/session/session_queue.hpp
//
// SessionQueue is the queue of one persistent session: what is stored for its client, what of it
// is on its way, and how far the client has got. It derives packet ids from queue numbers, so a
// number keeps its id over reconnects, restarts and changes of leader.
//
// Sans-IO: no socket, clock, thread, log. Messages that are not in memory are asked for.
// Lives on:   the shard that owns the lane; not thread-safe.
// Owned by:   the session, by value. Holds references to messages only inside the window.
// Bounded by: what the lane lets in (count, bytes); the window by the client's Receive Maximum.
// Spec:       MQTT 5.0 sections 4.3, 4.4, 4.6, 4.9.
//
//   number   1 .. acked_through .. next_to_send .. last
//             done                 in flight        waiting
//
//   QoS 1   waiting --send--> sent --puback--> done
//   QoS 2   waiting --send--> sent --pubrec--> releasing --commit--> released --pubcomp--> done
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/clock.hpp"
#include "storage/tables/message.hpp"
#include "storage/tables/records.hpp"

namespace naru::broker {

inline constexpr std::uint64_t queue_packet_ids = 32'767;  // Ids 1..32767 belong to queues.
// Of one session in flight; one message may always be, whatever its size.
inline constexpr std::uint64_t in_flight_bytes_max = 1u << 20;

class SessionQueue {
 public:
  enum class State : std::uint8_t { waiting, sent, releasing, released, done };

  struct Entry {
    std::uint64_t journal_number = 0;
    storage::MessageRef message;  // Empty when only the journal has it.
    std::uint32_t size = 0;       // Bytes that count for the session's limit.
    std::uint32_t ids = 0;        // Place in the list of subscription id lists; 0 = none.
    std::uint8_t options = 0;     // As in storage::Reference.
    State state = State::waiting;
  };

  static std::uint16_t packet_id_of(std::uint64_t number) {
    return static_cast<std::uint16_t>(1 + number % queue_packet_ids);
  }

  // ---- durable side, as records are applied ----
  // REQUIRES: numbers come without gaps. A number at or below what is known changes nothing.
  void enqueue(std::uint64_t number, Entry entry, std::vector<std::uint32_t> subscription_ids);
  // At a start: the numbers before `number` that are missing count as done. Says how many.
  std::uint64_t skip_to(std::uint64_t number);
  // Takes over a committed cursor. What it says is done stays done.
  void apply(const storage::CursorRow& cursor);

  // ---- leader's side ----
  std::uint64_t reserve() { return ++reserved_; }
  void rewind() { reserved_ = last_; }
  std::uint64_t last() const { return last_; }
  std::uint64_t acked_through() const { return acked_through_; }
  std::size_t waiting() const;  // Not done, in flight or not; with what is being committed.
  std::size_t in_flight() const { return in_flight_; }
  std::size_t size() const { return entries_.size() - head_; }
  std::uint64_t bytes() const { return bytes_; }
  // Of the oldest entry that is not done; 0 when there is none.
  std::uint64_t oldest_journal_number() const {
    return head_ == entries_.size() ? 0 : entries_[head_].journal_number;
  }

  // A connection begins: everything not done is to be sent again, oldest first.
  void attach(std::uint16_t window);
  void detach();
  bool attached() const { return window_ != 0; }

  // The next number to send, 0 when the window is full or nothing waits. Skips what is done.
  std::uint64_t next_to_send() const;
  Entry& at(std::uint64_t number);
  const Entry& at(std::uint64_t number) const;
  const std::vector<std::uint32_t>& subscription_ids(const Entry& entry) const;
  bool sent_before(std::uint64_t number) const { return number <= sent_through_; }
  void on_sent(std::uint64_t number);
  // After a start: its client was connected, and may have all that one window holds.
  void may_have_sent(std::uint16_t window);

  // The number in flight with this packet id; 0 when there is none.
  std::uint64_t find(std::uint16_t packet_id) const;
  // Each returns false, and changes nothing, when the entry does not wait for it.
  bool on_puback(std::uint64_t number);
  bool on_pubrec(std::uint64_t number);  // Then commit the cursor, then send PUBREL.
  bool on_pubcomp(std::uint64_t number);
  void drop(std::uint64_t number);  // Expired, cancelled, too large or over a limit.
  // Drops the oldest entry that is not on its way to the client; 0 when there is none.
  std::uint64_t drop_oldest_waiting();

  // True when the cursor on disk is behind; urgent when a PUBREL waits for it.
  bool cursor_dirty() const { return dirty_; }
  bool cursor_urgent() const { return urgent_; }
  storage::CursorRow take_cursor();
  void cursor_failed() { dirty_ = sent_dirty_ = true; }
  // The same without taking: the next one is due as before. Only for what has been sent, which by
  // itself makes no cursor dirty.
  bool sent_dirty() const { return sent_dirty_; }
  storage::CursorRow take_sent();
  // After apply() of a cursor: the numbers whose PUBREL may go out now.
  std::vector<std::uint64_t> take_released();

  // What a replica knows too, in a canonical form: numbers, options, and what is done.
  void encode_durable(Bytes& out) const;

 private:
  Entry* in_window(std::uint64_t number);
  void finish(std::uint64_t number);
  void land(const Entry& entry);
  storage::CursorRow cursor() const;
  void trim();

  std::vector<Entry> entries_;  // entries_[head_] has number acked_through_ + 1.
  std::size_t head_ = 0;
  std::vector<std::vector<std::uint32_t>> id_lists_;
  std::uint64_t acked_through_ = 0;
  std::uint64_t last_ = 0;
  std::uint64_t reserved_ = 0;
  std::uint64_t next_ = 1;
  std::uint64_t sent_through_ = 0;
  std::uint64_t moved_through_ = 0;    // All that is done, sent or released is at or below it.
  std::uint64_t dropped_through_ = 0;  // Where drop_oldest_waiting() goes on.
  std::uint64_t bytes_ = 0;
  std::size_t in_flight_ = 0;
  std::uint64_t in_flight_bytes_ = 0;
  std::size_t done_ahead_ = 0;  // Done entries above acked_through_.
  std::uint16_t window_ = 0;    // 0: nobody is attached.
  bool dirty_ = false;
  bool urgent_ = false;
  bool sent_dirty_ = false;  // No cursor has been taken since more was sent than ever before.
  std::vector<std::uint64_t> releasing_;
};

}  // namespace naru::broker
