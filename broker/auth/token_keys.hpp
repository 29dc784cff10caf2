// broker/auth/token_keys.hpp
//
// TokenKeys verifies signatures of tokens with the keys of one file: a secret for HS256, or public
// keys for RS256 and ES256. Each key serves its own algorithm alone, so no token can make a public
// key pass for a secret.
//
// Lives on any thread; nothing changes after it was read, and a reload makes new ones. OpenSSL
// stays in token_keys.cpp. Owned by the gate.
// Bounded by limits::token_key_file_bytes and token_keys; a signature costs each key of its
// algorithm, about 0.1 ms at most. Spec: RFC 7518 section 3.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/auth/token.hpp"
#include "storage/base/result.hpp"

struct evp_pkey_st;

namespace naru::broker {

class TokenKeys {
 public:
  // The file is the secret, but for a line end behind it.
  static Result<TokenKeys> load_secret(const std::string& path);
  // PEM: public keys and certificates, RSA or P-256, as many as are valid at a time.
  static Result<TokenKeys> load_public(const std::string& path);
  static Result<TokenKeys> parse_secret(std::string_view text);
  static Result<TokenKeys> parse_public(std::string_view text);

  // Stands for the key that signed it; 0: none of these.
  std::uint64_t signer_of(const TokenParts& token) const;
  bool has(std::uint64_t signer) const;

 private:
  struct Key {
    TokenAlgorithm algorithm = TokenAlgorithm::hs256;
    std::uint64_t name = 0;
    Bytes secret;                           // HS256.
    std::shared_ptr<evp_pkey_st> verifier;  // The others.
  };
  static Result<Key> key_of(std::shared_ptr<evp_pkey_st> verifier);

  std::vector<Key> keys_;
};

}  // namespace naru::broker
