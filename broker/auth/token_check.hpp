// broker/auth/token_check.hpp
//
// TokenCheck is what one listener asks of a token: a signature by one of its keys, and claims that
// keep its rule.
//
// Sans-IO; pure. Lives on any thread; a value, which shares its keys. Owned by the gate.
// Bounded by: as tokens and keys are.
#pragma once

#include <memory>
#include <optional>

#include "broker/auth/token.hpp"
#include "broker/auth/token_keys.hpp"

namespace naru::broker {

class TokenCheck {
 public:
  struct Verdict {
    const char* why = nullptr;  // Refused; null: admitted.
    Bytes user{};
    WallMillis ends_at = 0;
    std::uint64_t proof = 0;  // Stands for key and rule.
    std::shared_ptr<const Acl> acl{};
    NamedValues claims{};
  };

  TokenCheck() = default;  // Takes none.
  TokenCheck(TokenRule rule, std::shared_ptr<const TokenKeys> secret,
             std::shared_ptr<const TokenKeys> keys)
      : rule_(std::move(rule)), secret_(std::move(secret)), keys_(std::move(keys)) {}

  bool is_on() const { return secret_ || keys_; }
  Verdict judge(BytesView token, std::optional<BytesView> user, WallMillis now) const;
  // Whether that key and that rule still hold.
  bool has(std::uint64_t proof) const;

 private:
  std::uint64_t salt() const;  // Of proofs; changes with the rule.

  TokenRule rule_;
  std::shared_ptr<const TokenKeys> secret_, keys_;
};

}  // namespace naru::broker
