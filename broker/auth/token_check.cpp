#include "broker/auth/token_check.hpp"

#include <functional>

namespace naru::broker {

TokenCheck::Verdict TokenCheck::judge(BytesView token, std::optional<BytesView> user,
                                      WallMillis now) const {
  TokenParts parts;
  if (const char* const why = decode_token(token, parts)) return {why};
  const auto& keys = parts.algorithm == TokenAlgorithm::hs256 ? secret_ : keys_;
  const std::uint64_t signer = keys ? keys->signer_of(parts) : 0;
  if (signer == 0) return {"the signature of its token is of none of our keys"};
  TokenClaims claims;
  if (const char* const why = judge_claims(parts.claims, rule_, now, claims)) return {why};
  if (user && *user != claims.user) return {"its token names another user"};
  return {nullptr,         std::move(claims.user), claims.ends_at,
          signer ^ salt(), std::move(claims.acl),  std::move(claims.values)};
}

bool TokenCheck::has(std::uint64_t proof) const {
  const std::uint64_t signer = proof ^ salt();
  return (secret_ && secret_->has(signer)) || (keys_ && keys_->has(signer));
}

std::uint64_t TokenCheck::salt() const {
  const std::string rule =
      rule_.issuer + '\n' + rule_.audience + '\n' + rule_.username_claim + "\ntoken";
  return std::hash<std::string>{}(rule) & ~std::uint64_t{1};
}

}  // namespace naru::broker
