// broker/auth/digest.hpp
//
// The keyed and unkeyed SHA-256 that tokens and SCRAM rest on, and comparing without telling by
// time how much was right.
//
// Lives on any thread; pure. OpenSSL stays in digest.cpp. Spec: RFC 6234, RFC 2104, RFC 8018.
#pragma once

#include "storage/base/bytes.hpp"

namespace naru::broker {

inline constexpr std::size_t sha256_bytes = 32;

Bytes sha256(BytesView text);
Bytes hmac_sha256(BytesView key, BytesView text);
// REQUIRES: iterations > 0. One block: the result has sha256_bytes.
Bytes pbkdf2_sha256(BytesView password, BytesView salt, std::uint32_t iterations);
bool is_same(BytesView a, BytesView b);
// Bytes that nobody can guess.
Bytes random_bytes(std::size_t size);

}  // namespace naru::broker
