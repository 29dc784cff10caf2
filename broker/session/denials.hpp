// broker/session/denials.hpp
//
// Denials counts what clients were not allowed to do, by kind, and tells of it: of the first at
// once, and at the end of each minute of one of those that followed it. The minute is each
// client's, under each user name and for each kind. Broken packets and silence, which it tells of
// too, are counted where they are found.
//
// Sans-IO. Lives on one shard; not thread-safe. Owned by Front; counters and output must outlive
// it. Bounded by places_most: beyond them clients share one. Texts that are held back are cut.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "broker/session/shard_output.hpp"
#include "broker/session/shard_settings.hpp"

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

// Whose minute it is. Names that are not proved yet count for the host they come from alone.
struct DeniedClient {
  BytesView client_id, user;
  BytesView host;  // Empty: it has come in.
};

// Without its port.
inline BytesView host_of(BytesView address) { return address.substr(0, address.rfind(':')); }

class Denials {
 public:
  static constexpr Seconds minute{60};
  static constexpr std::size_t places_most = 4'096;
  static constexpr std::size_t held_text_most = 256;

  Denials(ShardCounters& counters, ShardOutput& output) : counters_(counters), output_(output) {}

  // Counts it, and says whether tell() is to have it, to tell now or later.
  bool take(Denial::Kind kind, const DeniedClient& who, Instant now);
  // REQUIRES: take() has just said so.
  void tell(Denial denial);
  // Counts it and tells of it, whatever was told before.
  void insist(Denial denial);
  // take() and tell(), for a connection that a limit keeps out.
  void turn_away(Denial::Kind kind, BytesView address, Instant now);

  void on_time(Instant now);  // Tells of what was held back until now.
  Instant next() const { return ends_.empty() ? Instant::never() : ends_.front().at; }

 private:
  // -> what is held back: the first, with how many more there were.
  using Places = std::map<Bytes, std::unique_ptr<Denial>, std::less<>>;
  struct End {
    Instant at;
    Places::iterator place;
  };
  void count(Denial::Kind kind);

  ShardCounters& counters_;
  ShardOutput& output_;
  Places places_;
  std::deque<End> ends_;                       // One for each place, the earliest first.
  std::unique_ptr<Denial>* holder_ = nullptr;  // Where tell() puts it; null: it tells at once.
  Bytes key_;                                  // Of the denial at hand.
};

// connect, publish, subscribe, deliver, connection, rate, protocol or keep_alive.
const char* name_of(Denial::Kind kind);
mqtt::ReasonCode reason_of(Denial::Kind kind);  // What the client is told, where there is a word.
const char* why_of(Denial::Kind kind);          // For log and client; empty: it depends.

}  // namespace naru::broker
