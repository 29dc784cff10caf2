// broker/auth/password_hash.hpp
//
// PasswordHash is what is kept of a password, in the two forms that mosquitto_passwd writes and one
// of ours, which serves SCRAM-SHA-256 as well:
//
//   $6$SALT$HASH               SHA-512 of password and salt, once
//   $7$ITERATIONS$SALT$HASH    PBKDF2 with HMAC-SHA-512
//   $scram-sha-256$ITERATIONS$SALT$STOREDKEY$SERVERKEY    RFC 7677
//
// SALT, HASH and keys are base64. Lives on any thread; a value. OpenSSL stays in password_hash.cpp.
// Bounded by the iterations: 101, mosquitto_passwd's default, take about 0.1 ms of a processor and
// may run on a shard; above iterations_inline it must run where nobody waits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/auth/scram.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

struct PasswordHash {
  enum class Kind : std::uint8_t { sha512, pbkdf2, scram };

  static constexpr std::uint32_t iterations_usual = 101;
  static constexpr std::uint32_t iterations_inline = 1'000;
  static constexpr std::uint32_t iterations_most = 10'000'000;
  static constexpr std::size_t salt_bytes_usual = 12;
  static constexpr std::size_t salt_bytes_most = 64;
  static constexpr std::size_t hash_bytes = 64;

  Kind kind = Kind::pbkdf2;
  std::uint32_t iterations = iterations_usual;  // Of pbkdf2 and scram.
  Bytes salt;
  Bytes hash;        // Of scram: the StoredKey.
  Bytes server_key;  // Of scram.

  bool is_costly() const { return kind != Kind::sha512 && iterations > iterations_inline; }
  // REQUIRES: kind is scram.
  ScramKeys scram_keys() const { return {salt, iterations, hash, server_key}; }
};

// The error says what is wrong without showing any of it.
Result<PasswordHash> parse_password_hash(std::string_view text);
std::string format_password_hash(const PasswordHash& hash);

// REQUIRES: 1 <= iterations <= iterations_most.
PasswordHash hash_password(BytesView password, BytesView salt,
                           std::uint32_t iterations = PasswordHash::iterations_usual);
PasswordHash hash_for_scram(BytesView password, BytesView salt);
// Takes the same time whether or not, and however much of it, is right.
bool is_password(const PasswordHash& hash, BytesView password);

// A salt that nobody can guess.
Bytes make_salt();

}  // namespace naru::broker
