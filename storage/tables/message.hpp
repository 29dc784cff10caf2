// storage/tables/message.hpp
//
// Message is one publish, immutable and shared by everybody who still has to see it: the bytes
// that go to the journal and views into them. MessageView is the same publish before anybody
// needs to keep it: it borrows the packet, so that a publish to connected clean sessions costs no
// allocation.
//
// Sans-IO. A Message may be read on any thread; a MessageView dies with the packet it looks at.
// Owned by: shared_ptr. Bounded by: max_packet_size.
//
// Stored form (version 1): version, flags {qos: 2 bits, retain: 1}, expires_at, node (8 bytes),
// incarnation, shard, number, epoch, publish, received_at, sender, topic, properties, and the
// payload to the end.
#pragma once

#include <cstdint>
#include <memory>

#include "storage/base/bytes.hpp"
#include "storage/base/clock.hpp"

namespace naru::storage {

// Names one publish for ever: no two have the same. Lanes recognise a repeated step by it.
struct Origin {
  std::uint64_t node = 0;
  std::uint32_t incarnation = 0;
  std::uint16_t shard = 0;
  std::uint64_t number = 0;
  bool operator==(const Origin&) const = default;
};

// What the sender's lane and front say of a publish; consumers see gaps and order by it.
struct Stamp {
  std::uint64_t epoch = 0;     // The sender's connection.
  std::uint64_t publish = 0;   // Its how-manieth publish on that connection, from 1.
  WallMillis received_at = 0;  // When the front read it; for people.
};

struct MessageView {
  Origin origin;
  Stamp stamp;
  StoreMillis expires_at = 0;  // Store time; 0 = never.
  std::uint8_t qos = 0;
  bool retain = false;
  BytesView sender;  // The publishing client's id; empty when the broker publishes.
  BytesView topic;
  BytesView properties;  // MQTT 5 properties that pass through unchanged, encoded.
  BytesView payload;
};

class Message;
using MessageRef = std::shared_ptr<const Message>;

class Message {
 public:
  // Copies what the view looks at.
  static MessageRef make(const MessageView& view);
  // Takes stored bytes; nullptr when they are not a message of a version this release knows.
  static MessageRef decode(Bytes encoded);

  // REQUIRES: not moved; views point into encoded_.
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  const MessageView& view() const { return view_; }
  BytesView encoded() const { return encoded_; }
  // The stored form as shared bytes that keep the message alive.
  static SharedBytes encoded_of(const MessageRef& message) {
    return SharedBytes{message, &message->encoded_};
  }
  bool expired(StoreMillis now) const { return view_.expires_at != 0 && view_.expires_at <= now; }

 private:
  struct Private {};

 public:
  Message(Private, Bytes encoded) : encoded_(std::move(encoded)) {}

 private:
  bool read();
  void point_into_encoded();

  Bytes encoded_;
  MessageView view_;
};

void encode_message(const MessageView& view, Bytes& out);

}  // namespace naru::storage
