// broker/auth/password_hash.hpp
//
// PasswordHash is what is kept of a password, in the two forms that mosquitto_passwd writes:
//
//   $6$SALT$HASH               SHA-512 of password and salt, once
//   $7$ITERATIONS$SALT$HASH    PBKDF2 with HMAC-SHA-512
//
// SALT and HASH are base64. Lives on any thread; a value. OpenSSL stays in password_hash.cpp.
// Bounded by the iterations: 101, mosquitto_passwd's default, take about 0.1 ms of a processor and
// may run on a shard; above iterations_inline it must run where nobody waits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

struct PasswordHash {
  enum class Kind : std::uint8_t { sha512 = 6, pbkdf2 = 7 };

  static constexpr std::uint32_t iterations_usual = 101;
  static constexpr std::uint32_t iterations_inline = 1'000;
  static constexpr std::uint32_t iterations_most = 10'000'000;
  static constexpr std::size_t salt_bytes_usual = 12;
  static constexpr std::size_t salt_bytes_most = 64;
  static constexpr std::size_t hash_bytes = 64;

  Kind kind = Kind::pbkdf2;
  std::uint32_t iterations = iterations_usual;  // Of pbkdf2.
  Bytes salt;
  Bytes hash;

  bool is_costly() const { return kind == Kind::pbkdf2 && iterations > iterations_inline; }
};

// The error says what is wrong without showing any of it.
Result<PasswordHash> parse_password_hash(std::string_view text);
std::string format_password_hash(const PasswordHash& hash);

// REQUIRES: 1 <= iterations <= iterations_most.
PasswordHash hash_password(BytesView password, BytesView salt,
                           std::uint32_t iterations = PasswordHash::iterations_usual);
// Takes the same time whether or not, and however much of it, is right.
bool is_password(const PasswordHash& hash, BytesView password);

// A salt that nobody can guess.
Bytes make_salt();

}  // namespace naru::broker
