// tools/naru/mosquitto_db.hpp
//
// MosquittoDb is what a mosquitto.db holds: the file in which mosquitto keeps sessions, queues and
// retained messages. Formats 5 and 6, which mosquitto 1.6 and 2.0 write.
//
// Sans-IO:    bytes in, values out; nothing is guessed. A fault is named with its offset.
// Lives on:   one thread.
// Owned by:   the caller. Views point into the bytes it was read from.
// Bounded by: the file.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace naru::tools {

struct MosquittoMessage {
  std::uint64_t id = 0;
  std::int64_t expires_at = 0;  // Unix time in seconds; 0: never.
  BytesView sender, topic, payload;
  BytesView properties;  // A block of MQTT 5 without its length, checked.
  std::uint8_t qos = 0;
  bool retain = false;
};

// Its user is not read: where a client has none, mosquitto writes the length of the one before
// with its bytes swapped, and so that one's name or whatever lies behind it in memory.
struct MosquittoClient {
  BytesView id;
  std::int64_t expires_at = 0;  // As above; 0: it does not, or had not gone.
  std::uint32_t expiry_s = 0;
};

// In the order of enum mosquitto_msg_state: what the message waits for.
enum class MosquittoState : std::uint8_t {
  invalid,
  publish_qos0,
  publish_qos1,
  puback,
  publish_qos2,
  pubrec,
  resend_pubrel,
  pubrel,
  resend_pubcomp,
  pubcomp,
  send_pubrec,
  queued
};

// A message on its way to a client, or (incoming) QoS 2 from it.
struct MosquittoPlace {
  std::uint64_t message = 0;
  BytesView client;
  std::uint16_t packet_id = 0;  // 0: never sent.
  std::uint8_t qos = 0;
  MosquittoState state = MosquittoState::queued;
  bool retain = false, incoming = false;
  std::uint32_t subscription_id = 0;
};

struct MosquittoSubscription {
  BytesView client, filter;
  std::uint32_t id = 0;
  std::uint8_t qos = 0;
  std::uint8_t options = 0;  // As in SUBSCRIBE of MQTT 5, without the QoS.
};

struct MosquittoDb {
  std::uint32_t format = 0;
  std::vector<MosquittoMessage> messages;
  std::unordered_map<std::uint64_t, std::size_t> by_id;  // -> place in messages.
  std::vector<MosquittoClient> clients;
  std::vector<MosquittoPlace> places;   // In order for each client.
  std::vector<std::uint64_t> retained;  // Ids of messages.
  std::vector<MosquittoSubscription> subscriptions;

  const MosquittoMessage& message(std::uint64_t id) const { return messages[by_id.at(id)]; }
};

// After an error nothing of the result is to be used.
Result<MosquittoDb> decode_mosquitto_db(BytesView file);

}  // namespace naru::tools
