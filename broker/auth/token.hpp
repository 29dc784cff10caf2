// broker/auth/token.hpp
//
// JSON Web Tokens as passwords: what stands in one, and whether its claims let somebody in. Whether
// its signature is right is a matter of keys (broker/auth/token_keys.hpp).
//
// Sans-IO; pure, time is handed in. Lives on any thread.
// Bounded by limits::token_bytes: a longer one is refused. Spec: RFC 7515, RFC 7518, RFC 7519.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "broker/auth/acl.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/clock.hpp"

namespace naru::broker {

enum class TokenAlgorithm : std::uint8_t { hs256, rs256, es256 };

struct TokenParts {
  TokenAlgorithm algorithm = TokenAlgorithm::hs256;
  BytesView signed_text;  // Of the token.
  Bytes claims;           // JSON; not to be believed before the signature is verified.
  Bytes signature;
};

// What the operator asks of claims.
struct TokenRule {
  std::string issuer;    // Empty: any.
  std::string audience;  // Empty: only tokens that name no audience.
  std::string username_claim = "sub";
};

struct TokenClaims {
  Bytes user;
  WallMillis ends_at = 0;
  std::shared_ptr<const Acl> acl;  // Of the claim `acl`: what it may do at most; null: anything.
  NamedValues values;              // Of the claims that are strings or integers.
};

// How far the clock of who signs may be from ours.
inline constexpr Millis token_skew{5'000};

// Three parts with two dots between them: it is meant as a token, right or wrong.
bool looks_like_token(BytesView text);
// Nothing: it is well formed; else why not.
const char* decode_token(BytesView token, TokenParts& parts);
const char* judge_claims(BytesView claims, const TokenRule& rule, WallMillis now,
                         TokenClaims& found);

}  // namespace naru::broker
