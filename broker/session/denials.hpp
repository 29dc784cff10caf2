// broker/session/denials.hpp
//
// Denials counts what clients were not allowed to do, by kind, and tells of one a client and
// minute.
//
// Sans-IO. Lives on one shard; not thread-safe. Owned by Front; counters and output must outlive
// it. Bounded by RateLimit's places: beyond them clients share one.
#pragma once

#include <optional>

#include "broker/session/shard_output.hpp"
#include "broker/session/shard_settings.hpp"
#include "storage/base/rate_limit.hpp"

namespace naru::broker {

inline constexpr BytesView payload_too_large = "the payload is larger than message_size_limit";

inline bool is_too_large(const ShardSettings& settings, BytesView payload) {
  return settings.max_payload_size != 0 && payload.size() > settings.max_payload_size;
}

// Where the broker does not offer what a publish or will asks for: the answer, and for the log why.
struct NotOffered {
  mqtt::ReasonCode reason{};
  BytesView why;
};
std::optional<NotOffered> find_not_offered(const ShardSettings& settings, const Peer& peer,
                                           mqtt::Qos qos, bool retain);

class Denials {
 public:
  Denials(ShardCounters& counters, ShardOutput& output) : counters_(counters), output_(output) {}

  // Counts it, and says whether this one is to be told.
  bool take(Denial::Kind kind, BytesView client_id, Instant now);
  // REQUIRES: take() has just said so.
  void tell(Denial denial);
  // Both, for a connection that a limit keeps out.
  void turn_away(Denial::Kind kind, BytesView address, Instant now);

 private:
  ShardCounters& counters_;
  ShardOutput& output_;
  RateLimit limit_{Seconds{60}, 4'096};
  std::uint64_t more_ = 0;
};

// connect, publish, subscribe, deliver, connection or rate.
const char* name_of(Denial::Kind kind);
mqtt::ReasonCode reason_of(Denial::Kind kind);  // What the client is told, where there is a word.
const char* why_of(Denial::Kind kind);          // For the log; of limits alone.

}  // namespace naru::broker
