// test/broker/auth/password_file_test.cpp
//
// Goal: what mosquitto_passwd wrote lets the same people in and nobody else, and a damaged file is
// refused with all its lines. Method: lines written by mosquitto_passwd 2.0.11, and mutations.

#include "broker/auth/password_file.hpp"

#include <set>

#include <catch2/catch.hpp>

namespace naru::broker {
namespace {

using Verdict = PasswordVerdict;

// mosquitto_passwd -H sha512 -b
const std::string alice6 =
    "alice:$6$02XlApoNM6cQrlNL$fdQ86NF8Z1LHABesFaqdhv12/kefWxKcPpLkLqWmgwVIxE4MuKN9UX64XVJcsogWbW2j"
    "FC0EHQq4Vl7cwn7rtQ==";
// mosquitto_passwd -H sha512-pbkdf2 -b
const std::string alice7 =
    "alice:$7$101$ed+QY9q36ZSxgZ6t$Mb9mFKHrQZWQsE8zZCfwe8d+iWsUaUDi4NSqU+GQNoCRLBaT06RsPWjW8gBy6eeM"
    "eJjiETMsg/N2PSZGEGFxCg==";
const std::string bob7 =
    "bob:$7$101$CyHxibA/"
    "Oor4Dd1K$ZgXAwQCX2gQaFzz7Yoq7uJhxnkcW4txODs8kIfffOI07wtKNng0W5twW6F0CN+BMDRV"
    "EsImyno7HbhzzZdoF/g==";
// With -I 5000.
const std::string carol7 =
    "carol:$7$5000$WngpDOdwXzalVM1I$fAGtu5wwuchgWyTliOwn483Wj0qllm98KIiu+V9zy4i4ZiYUsF+d+"
    "ZnWpaQZRFg9"
    "rK/1pBvuqI1kvGGI5Y7jrg==";

PasswordFile good(const std::string& text) {
  auto file = PasswordFile::parse(text, "pw");
  INFO((file ? "" : file.error().text));
  REQUIRE(file.has_value());
  return *file;
}

std::string fault_of(const std::string& text) {
  const auto file = PasswordFile::parse(text, "pw");
  return file ? "" : file.error().text;
}

std::string hash_of(const std::string& line) { return line.substr(line.find(':') + 1); }

}  // namespace

TEST_CASE("Passwords that mosquitto_passwd hashed are accepted", "[auth]") {
  const PasswordFile file = good("# users\r\n\n" + bob7 + "\r\n" + carol7);
  CHECK(file.size() == 2);
  CHECK(file.check("bob", "pä:$ß") == Verdict::accepted);
  CHECK(file.check("carol", "x") == Verdict::accepted);
  CHECK(file.is_costly("carol"));
  CHECK_FALSE(file.is_costly("bob"));
  CHECK(good(alice6).check("alice", "correct horse") == Verdict::accepted);
  CHECK(good(alice7).check("alice", "correct horse") == Verdict::accepted);
}

TEST_CASE("A line for SCRAM serves plain passwords and exchanges", "[auth][scram]") {
  const auto line = scram_line("dora", "pencil", "saltsaltsalt");
  REQUIRE(line.has_value());
  CHECK(line->starts_with("dora:$scram-sha-256$4096$c2FsdHNhbHRzYWx0$"));
  const PasswordFile file = good(*line + "\n" + bob7 + "\n");
  CHECK(file.check("dora", "pencil") == Verdict::accepted);
  CHECK(file.check("dora", "pen") == Verdict::wrong_password);
  CHECK(file.is_costly("dora"));
  CHECK(file.has_scram());
  CHECK(file.scram_keys("dora") == make_scram_keys("pencil", "saltsaltsalt", 4096));
  CHECK_FALSE(file.scram_keys("bob"));
  CHECK_FALSE(file.scram_keys("nobody"));
  CHECK_FALSE(good(bob7).has_scram());
  const auto hash = parse_password_hash(hash_of(*line));
  REQUIRE(hash.has_value());
  CHECK(format_password_hash(*hash) == hash_of(*line));
  for (std::size_t size = 0; size < line->size(); ++size) {
    CAPTURE(size);
    const auto cut = PasswordFile::parse(line->substr(0, size), "pw");
    CHECK((!cut || size == 0));
  }
  CHECK_FALSE(fault_of(*line + "A").empty());
  CHECK_FALSE(fault_of(*line + "$").empty());
}

TEST_CASE("A wrong password or user is refused", "[auth]") {
  const auto line = GENERATE(alice6, alice7);
  const PasswordFile file = good(line + "\n");
  const auto password = GENERATE(as<std::string>{}, "correct hors", "correct horse ",
                                 "Correct horse", "correct\nhorse");
  CAPTURE(line, password);
  CHECK(file.check("alice", password) == Verdict::wrong_password);
  CHECK(file.check("alic", "correct horse") == Verdict::unknown_user);
  CHECK(file.check("", "correct horse") == Verdict::unknown_user);
  CHECK(PasswordFile{}.check("alice", "correct horse") == Verdict::unknown_user);
}

TEST_CASE("Nobody gets in without a password, whatever the line is made of", "[auth]") {
  const auto write = GENERATE(&hash_line, &scram_line);
  const PasswordFile file = good(*write("eve", "", "saltsaltsalt") + "\n" + alice7 + "\n");
  for (const BytesView none : {BytesView{}, BytesView{""}}) {
    CHECK(file.check("eve", none) == Verdict::no_password);
    CHECK(file.check("alice", none) == Verdict::no_password);
    CHECK(file.check("nobody", none) == Verdict::unknown_user);
  }
  CHECK(file.check("eve", "x") == Verdict::wrong_password);
}

TEST_CASE("Unknown users take the work of all lines, each name always the same", "[auth]") {
  const std::string text = alice6 + "\n" + carol7 + "\n";
  const PasswordFile file = good(text), again = good(text);
  std::set<bool> seen;
  for (int i = 0; i < 64; ++i) {
    const std::string name = "nobody" + std::to_string(i);
    CAPTURE(name);
    const bool is_costly = file.is_costly(name);
    CHECK(file.is_costly(name) == is_costly);
    CHECK(again.is_costly(name) == is_costly);
    seen.insert(is_costly);
  }
  CHECK(seen.size() == 2);  // By chance it is 1 once in 2^63 runs.
  // Not even with the password of the line whose work it is.
  CHECK(good(alice6).check("nobody", "correct horse") == Verdict::unknown_user);
  CHECK_FALSE(PasswordFile{}.is_costly("nobody"));
}

TEST_CASE("Every damaged line is named, and none of its secret", "[auth]") {
  struct Row {
    std::string line;
    std::string hint;
  };
  const auto row = GENERATE(values<Row>({
      {"dave", "there is no ':'"},
      {":" + hash_of(bob7), "name of the user"},
      {"#x\n \n\tdave:secret", "not hashed"},
      {"dave:", "not hashed"},
      {"dave:$5$c2VjcmV0$c2VjcmV0", "none of the forms"},
      {"dave:$6$c2VjcmV0$c2VjcmV0", "64 bytes"},
      {"dave:$7$c2VjcmV0$c2VjcmV0", "none of the forms"},
      {"dave:$7$0$c2VjcmV0$c2VjcmV0", "iterations"},
      {"dave:$7$-1$c2VjcmV0$c2VjcmV0", "iterations"},
      {"dave:$7$99999999999$c2VjcmV0$c2VjcmV0", "iterations"},
      {"dave:$7$101$c2Vjcm0=$$", "none of the forms"},
      {"dave:$7$101$secret!!$" + hash_of(bob7).substr(24), "salt"},
      {"dave:$7$101$$" + hash_of(bob7).substr(24), "salt"},
      {"dave:$argon2id$v=19$m=47104,t=1,p=1$c2VjcmV0$c2VjcmV0", "argon2id"},
      {"dave:" + hash_of(bob7).substr(0, 80), "64 bytes"},
      {"dave:" + hash_of(bob7) + "AAAA", "64 bytes"},
      {bob7 + "\n" + bob7, "earlier line"},
  }));
  CAPTURE(row.line);
  const std::string fault = fault_of(row.line);
  CHECK_THAT(fault, Catch::Contains(row.hint));
  CHECK_THAT(fault, !Catch::Contains("secret") && !Catch::Contains("c2Vjcm"));
}

TEST_CASE("All damaged lines come at once, with file and line", "[auth]") {
  CHECK(fault_of("a\n" + bob7 + "\n\nb:x\n") ==
        "pw:1: expected USER:HASH; there is no ':'\n"
        "pw:4: the password is not hashed; run mosquitto_passwd -U on the file");
  CHECK_FALSE(PasswordFile::load("/nowhere/at all").has_value());
}

TEST_CASE("Every strict prefix of a hash is refused", "[auth]") {
  const std::string hash = GENERATE(hash_of(alice6), hash_of(alice7));
  for (std::size_t size = 0; size < hash.size(); ++size) {
    CHECK_FALSE(parse_password_hash(hash.substr(0, size)).has_value());
  }
  CHECK(format_password_hash(parse_password_hash(hash).value()) == hash);
}

TEST_CASE("A line written for a user lets this user in", "[auth]") {
  const auto line = hash_line("dave", "open", make_salt());
  CHECK(line.value().starts_with("dave:$7$101$"));
  CHECK(good(*line).check("dave", "open") == Verdict::accepted);
  CHECK(make_salt() != make_salt());
  // The salt of a line gives the same line again.
  const Bytes salt = parse_password_hash(hash_of(alice7))->salt;
  CHECK(hash_line("alice", "correct horse", salt).value() == alice7);
  const auto name = GENERATE(as<std::string>{}, "", "a:b", "#a", " a", "a\n");
  CHECK_FALSE(hash_line(name, "open", salt).has_value());
}

}  // namespace naru::broker
