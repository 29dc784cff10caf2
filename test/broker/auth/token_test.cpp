// test/broker/auth/token_test.cpp
//
// Goal: only a whole and well formed token with claims that keep the rule lets somebody in. Method:
// tables of tokens and of claims with the reason each is refused for, and every strict prefix.

#include "broker/auth/token.hpp"

#include <catch2/catch.hpp>

#include "storage/base/base64.hpp"
#include "storage/base/limits.hpp"
#include "test/broker/auth/token_samples.hpp"
#include "test/support/exact_buffer.hpp"

namespace naru::broker {
namespace {

constexpr WallMillis now = 1'700'000'000'000;

Bytes token_of(BytesView header, BytesView claims = "{}", BytesView signature = "s") {
  return encode_base64url(header) + "." + encode_base64url(claims) + "." +
         encode_base64url(signature);
}

const char* decoded(BytesView token) {
  const test::ExactBuffer exact{token};
  TokenParts parts;
  return decode_token(exact.view(), parts);
}

struct ClaimsRow {
  const char* claims;
  const char* why;  // A part of it; null: they are right.
};

}  // namespace

TEST_CASE("A token has a header with an algorithm we verify, and nothing critical", "[token]") {
  struct Row {
    Bytes token;
    const char* why;
  };
  const Row rows[] = {
      {token_of(R"({"alg":"HS256"})"), nullptr},
      {token_of(R"({"typ":"JWT","alg":"RS256","kid":"7"})"), nullptr},
      {token_of(R"({"alg":"ES256"})", "not even JSON"), nullptr},
      {"", "no token"},
      {"..", "no JSON object"},
      {"a.b", "no token"},
      {token_of(R"({"alg":"HS256"})") + ".x", "no token"},
      {token_of(R"({"alg":"none"})"), "none of HS256"},
      {token_of(R"({"alg":"none"})", "{}", ""), "none of HS256"},
      {token_of(R"({"alg":"NONE"})"), "none of HS256"},
      {token_of(R"({"alg":"hs256"})"), "none of HS256"},
      {token_of(R"({"alg":"HS512"})"), "none of HS256"},
      {token_of(R"({"alg":["HS256"]})"), "none of HS256"},
      {token_of(R"({"alg":null})"), "none of HS256"},
      {token_of(R"({"typ":"JWT"})"), "none of HS256"},
      {token_of(R"({"alg":"HS256","crit":["b64"],"b64":false})"), "critical"},
      {token_of(R"(["alg","HS256"])"), "no JSON object"},
      {token_of(R"({"alg":"HS256")"), "no JSON object"},
      {token_of("{\"alg\":\"HS256\"}\xff"), "no JSON object"},
      {token_of(Bytes(40, '[')), "no JSON object"},
      {"e30=." + encode_base64url("{}") + ".x", "base64url"},
      {"e30." + encode_base64url("{}") + ".+/", "base64url"},
      {"e30.e30.A", "base64url"},
      {"e30.e30. ", "base64url"},
      {token_of(R"({"alg":"HS256"})", Bytes(limits::token_bytes, ' ')), "too long"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.token.substr(0, 100));
    const char* const why = decoded(row.token);
    if (row.why == nullptr) {
      CHECK(why == nullptr);
    } else {
      REQUIRE(why != nullptr);
      CHECK(BytesView{why}.find(row.why) != BytesView::npos);
    }
  }
}

TEST_CASE("A token shows what was signed, its claims and its signature", "[token]") {
  const Bytes token = token_of(R"({"alg":"ES256"})", R"({"a":1})", "sig");
  TokenParts parts;
  REQUIRE(decode_token(token, parts) == nullptr);
  CHECK(parts.algorithm == TokenAlgorithm::es256);
  CHECK(parts.claims == R"({"a":1})");
  CHECK(parts.signature == "sig");
  CHECK(Bytes{parts.signed_text} + ".c2ln" == token);
}

TEST_CASE("A strict prefix of a token is none, or has another signature", "[token]") {
  const BytesView token = test::secret_token;
  TokenParts whole;
  REQUIRE(decode_token(token, whole) == nullptr);
  for (std::size_t size = 0; size < token.size(); ++size) {
    const test::ExactBuffer exact{token.substr(0, size)};
    TokenParts parts;
    CAPTURE(size);
    CHECK((decode_token(exact.view(), parts) != nullptr || parts.signature != whole.signature));
  }
}

TEST_CASE("Claims let in until they end, for whom they are made", "[token]") {
  const ClaimsRow row = GENERATE(values<ClaimsRow>({
      {R"({"sub":"car1","exp":1700000100})", nullptr},
      {R"({"sub":"car1","exp":1700000100.5})", nullptr},
      {R"({"sub":"car1","exp":1699999996})", nullptr},  // Within the skew.
      {R"({"sub":"car1","exp":1699999995})", "expired"},
      {R"({"sub":"car1","exp":1600000000})", "expired"},
      {R"({"sub":"car1","exp":0})", "expired"},
      {R"({"sub":"car1"})", "no exp"},
      {R"({"sub":"car1","exp":"1700000100"})", "no time"},
      {R"({"sub":"car1","exp":-1})", "no time"},
      {R"({"sub":"car1","exp":1e300})", "no time"},
      {R"({"sub":"car1","exp":null})", "no time"},
      {R"({"sub":"car1","exp":99999999999999999999999})", "no time"},
      {R"({"sub":"car1","exp":1700000100,"nbf":1700000005})", nullptr},
      {R"({"sub":"car1","exp":1700000100,"nbf":1700000006})", "not valid yet"},
      {R"({"sub":"car1","exp":1700000100,"nbf":"soon"})", "no time"},
      {R"({"exp":1700000100})", "no user"},
      {R"({"sub":"","exp":1700000100})", "no user"},
      {R"({"sub":7,"exp":1700000100})", "no user"},
      {R"({"sub":"a\u0000b","exp":1700000100})", "no user"},
      {R"({"sub":"car1","exp":1700000100,"aud":"x"})", "jwt_audience"},
      {R"([1])", "no JSON object"},
      {R"({"a":[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]})", "no JSON object"},
      {"", "no JSON object"},
  }));
  CAPTURE(row.claims);
  TokenClaims found;
  const char* const why = judge_claims(row.claims, {}, now, found);
  if (row.why == nullptr) {
    CHECK(why == nullptr);
    CHECK(found.user == "car1");
    CHECK(found.ends_at > now);
  } else {
    REQUIRE(why != nullptr);
    CHECK(BytesView{why}.find(row.why) != BytesView::npos);
  }
}

TEST_CASE("A token may say what it allows at most", "[token][acl]") {
  struct Row {
    const char* acl;
    bool right;
  };
  const Row rows[] = {
      {R"({"read":["car/%c/#","news"],"write":["car/%c/telemetry"]})", true},
      {R"({})", true},
      {R"({"read":[]})", true},
      {R"([])", false},
      {R"("#")", false},
      {R"({"read":"#"})", false},
      {R"({"readwrite":["#"]})", false},
      {R"({"deny":["#"]})", false},
      {R"({"read":[7]})", false},
      {R"({"read":[""]})", false},
      {R"({"read":["a#"]})", false},
      {R"({"read":[" a"]})", false},
      {R"({"read":["a\npattern readwrite #"]})", false},
      {R"({"write":["a\rb"]})", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.acl);
    TokenClaims found;
    const Bytes claims = R"({"sub":"u","exp":1700000100,"acl":)" + Bytes{row.acl} + "}";
    CHECK((judge_claims(claims, {}, now, found) == nullptr) == row.right);
  }
  TokenClaims found;
  const Bytes claims = R"({"sub":"u","exp":1700000100,"acl":)" + Bytes{rows[0].acl} + "}";
  REQUIRE(judge_claims(claims, {}, now, found) == nullptr);
  REQUIRE(found.acl);
  CHECK(found.acl->check({"u", "7"}, Access::read, "car/7/x").allowed);
  CHECK(found.acl->check({"u", "7"}, Access::write, "car/7/telemetry").allowed);
  CHECK_FALSE(found.acl->check({"u", "7"}, Access::write, "car/7/x").allowed);
  CHECK_FALSE(found.acl->check({"u", "7"}, Access::read, "car/8/x").allowed);
  CHECK_FALSE(found.acl->check({"u", "+"}, Access::read, "car/8/x").allowed);
}

TEST_CASE("Claims keep the rule of who they are for and from", "[token]") {
  const TokenRule rule{"https://issuer.example", "fleet", "name"};
  const ClaimsRow row = GENERATE(values<ClaimsRow>({
      {R"({"name":"a","exp":1700000100,"iss":"https://issuer.example","aud":"fleet"})", nullptr},
      {R"({"name":"a","exp":1700000100,"iss":"https://issuer.example","aud":["x","fleet"]})",
       nullptr},
      {R"({"name":"a","exp":1700000100,"aud":"fleet"})", "issuer"},
      {R"({"name":"a","exp":1700000100,"iss":"https://issuer.example/","aud":"fleet"})", "issuer"},
      {R"({"name":"a","exp":1700000100,"iss":["https://issuer.example"],"aud":"fleet"})", "issuer"},
      {R"({"name":"a","exp":1700000100,"iss":"https://issuer.example"})", "no audience"},
      {R"({"name":"a","exp":1700000100,"iss":"https://issuer.example","aud":"fleet2"})",
       "another audience"},
      {R"({"name":"a","exp":1700000100,"iss":"https://issuer.example","aud":[]})",
       "another audience"},
      {R"({"name":"a","exp":1700000100,"iss":"https://issuer.example","aud":{"fleet":1}})",
       "another audience"},
      {R"({"sub":"a","exp":1700000100,"iss":"https://issuer.example","aud":"fleet"})", "no user"},
  }));
  CAPTURE(row.claims);
  TokenClaims found;
  const char* const why = judge_claims(row.claims, rule, now, found);
  CHECK((why == nullptr) == (row.why == nullptr));
  if (why != nullptr && row.why != nullptr) CHECK(BytesView{why}.find(row.why) != BytesView::npos);
}

TEST_CASE("A token gives its claims that are strings or integers", "[token]") {
  const Bytes longest(limits::policy_value_bytes, 'x');
  const Bytes claims = R"({"sub":"car1","exp":1700000100,"fleet":"seven","n":-7,)"
                       R"("big":18446744073709551615,"https://a/b":"x/y","long":")" +
                       longest + R"(","longer":"x)" + longest +
                       R"(","half":0.5,"yes":true,"none":null,"list":["a"],"map":{"a":1},)"
                       R"("empty":""})";
  TokenClaims found;
  REQUIRE(judge_claims(claims, {}, now, found) == nullptr);
  CHECK(found.values.find("sub") == BytesView{"car1"});
  CHECK(found.values.find("exp") == BytesView{"1700000100"});
  CHECK(found.values.find("fleet") == BytesView{"seven"});
  CHECK(found.values.find("n") == BytesView{"-7"});
  CHECK(found.values.find("big") == BytesView{"18446744073709551615"});
  CHECK(found.values.find("https://a/b") == BytesView{"x/y"});
  CHECK(found.values.find("long") == BytesView{longest});
  for (const char* const none : {"longer", "half", "yes", "none", "list", "map", "empty", "a"}) {
    CAPTURE(none);
    CHECK_FALSE(found.values.find(none));
  }
}

}  // namespace naru::broker
