// broker/auth/scram.hpp
//
// ScramServer is our side of one SCRAM-SHA-256 exchange: the client proves that it knows the
// password without sending it, and we prove that we know something made of it.
//
// Sans-IO: texts go in and come out; the nonce is handed in. Lives on one thread; a value.
// Owned by who speaks with the client (broker/session/front_auth.cpp).
// Bounded by limits::scram_message_bytes. Spec: RFC 5802, RFC 7677. Without channel binding, and
// names are compared as they are: SASLprep is the client's business.
//
//   fresh --challenge()--> challenged --verify()--> done
//     any of them refuses: failed
#pragma once

#include <cstdint>
#include <optional>

#include "storage/base/bytes.hpp"

namespace naru::broker {

// The authentication method of MQTT 5.
inline constexpr BytesView scram_method = "SCRAM-SHA-256";

// What is kept in place of a password: from it nobody can log in elsewhere.
struct ScramKeys {
  static constexpr std::uint32_t iterations_usual = 4'096;

  Bytes salt;
  std::uint32_t iterations = iterations_usual;
  Bytes stored_key, server_key;

  bool operator==(const ScramKeys&) const = default;
};

// REQUIRES: iterations > 0.
ScramKeys make_scram_keys(BytesView password, BytesView salt, std::uint32_t iterations);
// The plain way: the password itself came.
bool is_password(const ScramKeys& keys, BytesView password);

class ScramServer {
 public:
  // Whose keys challenge() wants. Nothing: this is no client-first-message that we take.
  static std::optional<Bytes> user_of(BytesView client_first);

  // Returns the server-first-message. REQUIRES: user_of(client_first), nonce is printable and has
  // no comma.
  Bytes challenge(BytesView client_first, ScramKeys keys, BytesView nonce);
  // Returns the server-final-message. Nothing: it is malformed, or proves nothing.
  std::optional<Bytes> verify(BytesView client_final);

 private:
  enum class State : std::uint8_t { fresh, challenged, done, failed };

  State state_ = State::fresh;
  ScramKeys keys_;
  Bytes header_;     // gs2-header, as the client sent it.
  Bytes nonce_;      // The client's, then ours.
  Bytes exchanged_;  // client-first-message-bare and server-first-message.
};

}  // namespace naru::broker
