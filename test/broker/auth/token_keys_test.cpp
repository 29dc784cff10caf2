// test/broker/auth/token_keys_test.cpp
//
// Goal: a signature counts only by a key of its own algorithm, and a file that could mislead is
// refused. Method: known tokens against each kind of file, then each of them changed.

#include "broker/auth/token_keys.hpp"

#include <catch2/catch.hpp>

#include "broker/auth/digest.hpp"
#include "broker/auth/token_check.hpp"
#include "storage/base/base64.hpp"
#include "test/broker/auth/token_samples.hpp"

namespace naru::broker {
namespace {

using test::ec_key, test::ec_token, test::p384_key, test::rsa_key, test::rsa_token;
using test::secret_token, test::small_rsa_key;

constexpr WallMillis now = 1'700'000'000'000;

std::shared_ptr<const TokenKeys> publics(std::string_view text) {
  auto keys = TokenKeys::parse_public(text);
  REQUIRE(keys.has_value());
  return std::make_shared<const TokenKeys>(std::move(*keys));
}

std::shared_ptr<const TokenKeys> secret(std::string_view text) {
  auto keys = TokenKeys::parse_secret(text);
  REQUIRE(keys.has_value());
  return std::make_shared<const TokenKeys>(std::move(*keys));
}

std::uint64_t signer(const TokenKeys& keys, BytesView token) {
  TokenParts parts;
  REQUIRE(decode_token(token, parts) == nullptr);
  return keys.signer_of(parts);
}

Bytes signed_with(BytesView key, BytesView claims) {
  const Bytes text = encode_base64url(R"({"alg":"HS256"})") + "." + encode_base64url(claims);
  return text + "." + encode_base64url(hmac_sha256(key, text));
}

}  // namespace

TEST_CASE("TokenKeys verifies each algorithm with keys of its own", "[token]") {
  const auto hs = secret(test::secret);
  const auto both = publics(Bytes{rsa_key} + Bytes{ec_key});
  CHECK(signer(*hs, secret_token) != 0);
  CHECK(signer(*both, secret_token) == 0);
  const std::uint64_t rs = signer(*both, rsa_token), es = signer(*both, ec_token);
  CHECK(rs != 0);
  CHECK(es != 0);
  CHECK(rs != es);
  CHECK(both->has(rs));
  CHECK_FALSE(hs->has(rs));
  CHECK(signer(*publics(rsa_key), ec_token) == 0);
  CHECK(signer(*publics(ec_key), rsa_token) == 0);
  CHECK(signer(*hs, rsa_token) == 0);
}

TEST_CASE("A changed byte anywhere in a token breaks its signature", "[token]") {
  const auto hs = secret(test::secret);
  const auto both = publics(Bytes{rsa_key} + Bytes{ec_key});
  for (const BytesView token :
       {BytesView{secret_token}, BytesView{rsa_token}, BytesView{ec_token}}) {
    for (std::size_t at = 0; at < token.size(); ++at) {
      Bytes changed{token};
      changed[at] = changed[at] == 'A' ? 'B' : 'A';
      TokenParts parts;
      if (decode_token(changed, parts) != nullptr) continue;
      CAPTURE(at, changed);
      CHECK(hs->signer_of(parts) == 0);
      CHECK(both->signer_of(parts) == 0);
    }
  }
}

TEST_CASE("A public key never serves as a secret", "[token]") {
  const Bytes claims = R"({"sub":"admin","exp":1800000000})";
  const TokenCheck check{{}, nullptr, publics(Bytes{rsa_key} + Bytes{ec_key})};
  for (const BytesView key : {BytesView{rsa_key}, BytesView{ec_key}, BytesView{""}}) {
    CHECK(check.judge(signed_with(key, claims), std::nullopt, now).why != nullptr);
  }
  CHECK_FALSE(TokenKeys::parse_secret(rsa_key).has_value());
}

TEST_CASE("TokenCheck admits whom the token names, until it ends", "[token]") {
  const Bytes key(32, 'k');
  const TokenCheck check{{}, secret(key + "\n"), publics(ec_key)};
  const Bytes token = signed_with(key, R"({"sub":"car1","exp":1700000100})");
  const auto verdict = check.judge(token, std::nullopt, now);
  CHECK(verdict.why == nullptr);
  CHECK(verdict.user == "car1");
  CHECK(verdict.ends_at == 1'700'000'105'000);
  CHECK(check.has(verdict.proof));
  CHECK(check.judge(token, "car1", now).why == nullptr);
  CHECK(check.judge(token, "car2", now).why != nullptr);
  CHECK(check.judge(token, "", now).why != nullptr);
  CHECK(check.judge(ec_token, "car1", now).why == nullptr);
  CHECK(check.judge("e30.e30.e30", "car1", now).why != nullptr);

  // What a reload may change ends who came in by it.
  CHECK_FALSE(TokenCheck{{}, nullptr, publics(ec_key)}.has(verdict.proof));
  CHECK_FALSE(TokenCheck{{"me", "", "sub"}, secret(key), nullptr}.has(verdict.proof));
  CHECK(TokenCheck{{}, secret(key), nullptr}.has(verdict.proof));
  CHECK_FALSE(check.has(0));
  CHECK_FALSE(TokenCheck{}.has(0));
}

TEST_CASE("TokenKeys refuses files that would mislead", "[token]") {
  struct Row {
    bool is_secret;
    Bytes text;
    const char* why;
  };
  const Row rows[] = {
      {true, "short", "32 bytes"},
      {true, Bytes(31, 'x') + "\r\n", "32 bytes"},
      {true, Bytes{ec_key}, "jwt_key_file"},
      {false, "", "PEM"},
      {false, "secret", "PEM"},
      {false, Bytes{small_rsa_key}, "2048"},
      {false, Bytes{p384_key}, "P-256"},
      {false, Bytes{ec_key} + "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
       "block 2 is a private key"},
      {false, "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n", "block 1"},
      {false, Bytes{ec_key}.substr(0, 100), "block 1"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto keys =
        row.is_secret ? TokenKeys::parse_secret(row.text) : TokenKeys::parse_public(row.text);
    REQUIRE_FALSE(keys.has_value());
    CHECK(keys.error().text.find(row.why) != std::string::npos);
  }
}

}  // namespace naru::broker
