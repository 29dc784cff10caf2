// test/broker/auth/scram_test.cpp
//
// Goal: only who knows the password passes, and the exchange is RFC 7677's to the byte. Method: its
// example, then the same dialogue with one thing wrong at each step.

#include "broker/auth/scram.hpp"

#include <catch2/catch.hpp>

#include "broker/auth/digest.hpp"
#include "storage/base/base64.hpp"
#include "storage/base/limits.hpp"
#include "test/support/exact_buffer.hpp"

namespace naru::broker {
namespace {

// RFC 7677 section 3.
constexpr BytesView client_first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr BytesView our_nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr BytesView server_first =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr BytesView client_final =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr BytesView server_final = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

ScramKeys keys_of(BytesView password) {
  return make_scram_keys(password, *decode_base64("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096);
}

// What a client that knows `password` answers to `challenge`.
Bytes proof_for(BytesView first_bare, BytesView challenge, BytesView without_proof,
                const Bytes& salted) {
  const Bytes all = Bytes{first_bare} + "," + Bytes{challenge} + "," + Bytes{without_proof};
  const Bytes client_key = hmac_sha256(salted, "Client Key");
  Bytes proof = hmac_sha256(sha256(client_key), all);
  for (std::size_t i = 0; i < proof.size(); ++i) {
    proof[i] = static_cast<char>(proof[i] ^ client_key[i]);
  }
  return Bytes{without_proof} + ",p=" + encode_base64(proof);
}

}  // namespace

TEST_CASE("ScramServer speaks the example of RFC 7677", "[scram]") {
  CHECK(ScramServer::user_of(client_first) == Bytes{"user"});
  ScramServer server;
  CHECK(server.challenge(client_first, keys_of("pencil"), our_nonce) == server_first);
  CHECK(server.verify(client_final) == Bytes{server_final});
  CHECK_FALSE(server.verify(client_final));  // Once.
}

TEST_CASE("ScramServer takes the password itself by the same keys", "[scram]") {
  CHECK(is_password(keys_of("pencil"), "pencil"));
  CHECK_FALSE(is_password(keys_of("pencil"), "pencils"));
  CHECK_FALSE(is_password(keys_of("pencil"), ""));
}

TEST_CASE("ScramServer refuses a proof of anything else", "[scram]") {
  const auto refuses = [](BytesView answer, BytesView password = "pencil") {
    ScramServer server;
    server.challenge(client_first, keys_of(password), our_nonce);
    const test::ExactBuffer exact{answer};
    return !server.verify(exact.view());
  };
  CHECK(refuses(client_final, "pen"));
  for (std::size_t at = 0; at < client_final.size(); ++at) {
    Bytes changed{client_final};
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    CAPTURE(at);
    CHECK(refuses(changed));
    CHECK(refuses(client_final.substr(0, at)));
  }
  CHECK(refuses(Bytes{client_final} + "A"));
  CHECK(refuses(Bytes{client_final} + ",x=1"));
  const Bytes proof{client_final.substr(client_final.rfind(",p="))};
  const Bytes nonce = "r=rOprNGfwEbeRWgbNEkqO" + Bytes{our_nonce};
  CHECK(refuses("c=eSws," + nonce + proof));  // Another header than it sent: 'y,,'.
  CHECK(refuses(nonce + ",c=biws" + proof));
  CHECK(refuses("c=biws,r=rOprNGfwEbeRWgbNEkqO" + proof));
  CHECK(refuses("c=biws" + proof));
  CHECK(refuses(proof));
  CHECK(refuses(Bytes(limits::scram_message_bytes + 1, 'a')));
  ScramServer fresh;
  CHECK_FALSE(fresh.verify(client_final));
}

TEST_CASE("A client-first-message is taken as RFC 5802 writes it", "[scram]") {
  struct Row {
    BytesView text;
    const char* user;  // Null: it is not taken.
  };
  const Row row = GENERATE(values<Row>({
      {"n,,n=user,r=abc", "user"},
      {"y,,n=user,r=abc", "user"},
      {"n,a=user,n=user,r=abc", "user"},
      {"n,,n=a=2Cb=3Dc,r=abc", "a,b=c"},
      {"n,,n=user,r=abc,x=extension", "user"},
      {"n,,n=\xc3\xa9,r=abc", "\xc3\xa9"},
      {"p=tls-unique,,n=user,r=abc", nullptr},
      {"n,a=root,n=user,r=abc", nullptr},
      {"n,x,n=user,r=abc", nullptr},
      {"n,,m=ext,n=user,r=abc", nullptr},
      {"n,,n=us=er,r=abc", nullptr},
      {"n,,n=user=,r=abc", nullptr},
      {"n,,n=user=2c,r=abc", nullptr},
      {"n,,n=,r=abc", nullptr},
      {"n,,n=user,r=", nullptr},
      {"n,,n=user,r=a b", nullptr},
      {"n,,n=user", nullptr},
      {"n,,r=abc,n=user", nullptr},
      {"n,n=user,r=abc", nullptr},
      {"n=user,r=abc", nullptr},
      {"n", nullptr},
      {"", nullptr},
  }));
  CAPTURE(row.text);
  const test::ExactBuffer exact{row.text};
  const auto user = ScramServer::user_of(exact.view());
  CHECK(user.has_value() == (row.user != nullptr));
  if (user && row.user != nullptr) CHECK(*user == row.user);
}

TEST_CASE("Every strict prefix of a client-first-message asks for less or nothing", "[scram]") {
  for (std::size_t size = 0; size < client_first.size(); ++size) {
    const test::ExactBuffer exact{client_first.substr(0, size)};
    const auto user = ScramServer::user_of(exact.view());
    CAPTURE(size);
    CHECK((!user || *user == "user"));
    CHECK(user.has_value() == (size > BytesView{"n,,n=user,r="}.size()));
  }
}

TEST_CASE("Extensions in a final message count in what is proved", "[scram]") {
  const Bytes salted = pbkdf2_sha256("pencil", *decode_base64("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096);
  const BytesView bare = client_first.substr(3);
  const Bytes nonce = "r=rOprNGfwEbeRWgbNEkqO" + Bytes{our_nonce};
  ScramServer server;
  const Bytes challenge = server.challenge(client_first, keys_of("pencil"), our_nonce);
  CHECK(server.verify(proof_for(bare, challenge, "c=biws," + nonce + ",x=1", salted)));
}

}  // namespace naru::broker
