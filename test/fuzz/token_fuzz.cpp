// test/fuzz/token_fuzz.cpp
//
// Goal: no bytes make the reader of tokens misbehave, and none get in without a key. Method: the
// bytes are a token, then claims, then a key file.

#include <cstddef>
#include <cstdint>

#include "broker/auth/token_check.hpp"
#include "storage/base/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace naru::broker;
  const naru::BytesView text{reinterpret_cast<const char*>(data), size};
  static const auto keys = std::make_shared<const TokenKeys>(
      *TokenKeys::parse_secret("a secret that no fuzzer ever guesses, it is long"));
  const TokenCheck check{{}, keys, keys};
  NARU_CHECK(check.judge(text, std::nullopt, 1'700'000'000'000).why != nullptr);
  TokenClaims claims;
  const char* const why = judge_claims(text, {"", "a", "sub"}, 1'700'000'000'000, claims);
  NARU_CHECK(why != nullptr || (!claims.user.empty() && claims.ends_at > 1'700'000'000'000));
  const auto file = TokenKeys::parse_public(text);
  NARU_CHECK(file.has_value() || !file.error().text.empty());
  return 0;
}
