// test/broker/auth/acl_test.cpp
//
// Goal: an acl_file decides here as in mosquitto 2, and a wrong one is refused with all its lines.
// Method: one file, and a table of who asks for what; lines that are wrong; mutations.

#include "broker/auth/acl.hpp"

#include <catch2/catch.hpp>

#include "test/broker/auth/acl_text.hpp"

namespace naru::broker {
namespace {

using test::fault_of;
using test::good;

const std::string file =
    "# the house\n"                      // 1
    "topic read news/#\n"                // 2
    "\r\n"                               // 3
    "user alice\n"                       // 4
    "topic home/alice/#\n"               // 5
    "topic read news/#\n"                // 6
    "topic write in/+/alice\n"           // 7
    "topic deny news/secret/#\n"         // 8: counts before line 6
    "topic readwrite two words/a b \n"   // 9
    "  user  bob the builder  \n"        // 10
    "topic   write   sites/#\r\n"        // 11
    "user alice\n"                       // 12: goes on with her section
    "topic read read\n"                  // 13
    "pattern write car/%c/telemetry\n"   // 14
    "pattern readwrite users/%u/%c/#\n"  // 15
    "pattern deny users/%u/locked\n"     // 16
    "pattern read notes/100%/x%y\n"      // 17
    "user carol\n"                       // 18
    "topic deny #\n"                     // 19
    "topic read $SYS/#\n"                // 20
    "user dora\n"                        // 21
    "topic readwrite write\n";           // 22: the topic is called write

struct Case {
  std::string user, client_id;
  Access access;
  std::string topic;
  unsigned line;  // That decides.
  bool allowed;
};

}  // namespace

TEST_CASE("Acl decides as mosquitto does", "[auth][acl]") {
  const Acl acl = good(file);
  constexpr Access r = Access::read, w = Access::write;
  const auto c = GENERATE_COPY(values<Case>({
      {"", "c1", r, "news/today", 2, true},
      {"", "c1", r, "news", 2, true},
      {"", "c1", w, "news/today", 0, false},
      {"", "c1", r, "home/alice/x", 0, false},
      {"", "c1", w, "car/c1/telemetry", 14, true},
      {"", "c1", r, "car/c1/telemetry", 0, false},
      {"", "c1", w, "car/c2/telemetry", 0, false},
      {"", "c1", w, "users//c1/x", 0, false},  // No name: a pattern with %u says nothing.
      {"", "c1", r, "notes/100%/x%y", 17, true},
      {"alice", "c1", w, "home/alice/door", 5, true},
      {"alice", "c1", r, "home/alice", 5, true},
      {"alice", "c1", r, "news/today", 6, true},
      {"alice", "c1", r, "news/secret/x", 8, false},
      {"alice", "c1", w, "news/secret/x", 8, false},
      {"alice", "c1", w, "in/7/alice", 7, true},
      {"alice", "c1", r, "in/7/alice", 0, false},
      {"alice", "c1", w, "in/7/8/alice", 0, false},
      {"alice", "c1", w, "two words/a b", 9, true},
      {"alice", "c1", r, "read", 13, true},
      {"alice", "c1", w, "users/alice/c1/x", 15, true},
      {"alice", "c1", w, "users/alice/c2/x", 0, false},
      {"alice", "locked", w, "users/alice/locked", 16, false},
      {"alice", "locked", w, "users/alice/locked/x", 15, true},
      {"bob the builder", "c1", w, "sites/1", 11, true},
      {"bob", "c1", w, "sites/1", 0, false},
      {"bob", "c1", r, "news/today", 0, false},  // The first section is for clients without name.
      {"carol", "c1", r, "news/today", 19, false},
      {"carol", "c1", w, "car/c1/telemetry", 19, false},
      {"carol", "c1", r, "$SYS/broker/load", 20, true},
      {"dora", "c1", r, "write", 22, true},
      // A name never widens a pattern, and what stands in the own section holds all the same.
      {"", "+", w, "car/c2/telemetry", 16, false},
      {"", "#", r, "notes/100%/x%y", 16, false},
      {"alice", "a+b", w, "users/alice/a+b/x", 16, false},
      {"alice", "+", w, "home/alice/door", 5, true},
      {"a/b", "c1", w, "users/a/b/c1/x", 0, false},
      {"", "c1/telemetry", w, "car/c1/telemetry/telemetry", 0, false},
      {"a/b", "c1", r, "notes/100%/x%y", 17, true},
  }));
  CAPTURE(c.user, c.client_id, c.topic, static_cast<int>(c.access));
  const AclVerdict verdict = acl.check({c.user, c.client_id}, c.access, c.topic);
  CHECK(verdict.allowed == c.allowed);
  CHECK(verdict.line == c.line);
}

TEST_CASE("Acl refuses a filter none of whose topics may be read", "[auth][acl]") {
  const Acl acl = good(file);
  const auto reads = [&](BytesView user, BytesView filter) {
    return acl.check_filter({user, "c1"}, filter).allowed;
  };
  CHECK(reads("", "#"));
  CHECK(reads("", "+/today"));
  CHECK(reads("", "$share/g/news/today"));
  CHECK_FALSE(reads("", "home/#"));
  CHECK_FALSE(reads("", "$SYS/#"));
  CHECK(reads("alice", "news/#"));
  CHECK(reads("alice", "news/+"));
  CHECK_FALSE(reads("alice", "news/secret/+"));
  CHECK_FALSE(reads("alice", "in/+/alice"));
  CHECK(reads("alice", "users/+/c1/state"));
  CHECK_FALSE(reads("alice", "users/bob/#"));
  CHECK_FALSE(reads("carol", "news/#"));
  CHECK(reads("carol", "$SYS/broker/#"));
}

TEST_CASE("Acl without a rule grants nothing", "[auth][acl]") {
  const Acl acl = good("# nothing\n\nuser alice\n");
  CHECK_FALSE(acl.check({"", "c"}, Access::read, "a").allowed);
  CHECK_FALSE(acl.check({"alice", "c"}, Access::write, "a").allowed);
  CHECK(acl.explain({false, 0}) == "no rule of acl grants it");
  CHECK(acl.explain({false, 7}) == "acl:7");
}

TEST_CASE("Acl takes a rule for a shared filter for no rule", "[auth][acl]") {
  const Acl acl = good("topic read $share/g/secret\n");
  CHECK_FALSE(acl.check({"", "c"}, Access::read, "secret").allowed);
  CHECK_FALSE(acl.check_filter({"", "c"}, "$share/g/secret").allowed);
}

TEST_CASE("Acl names every wrong line and what would be right", "[auth][acl]") {
  const std::string faults = fault_of(
      "topic\n"
      "topic read ok/#\n"
      "topic writes a\n"
      "topic two words\n"
      "topic read a/#/b\n"
      "pattern deny a+/b\n"
      "user \n"
      "topics a\n"
      "topic\tread a\n"
      " # indented\n");
  for (const int line : {1, 3, 4, 5, 6, 7, 8, 9, 10}) {
    CAPTURE(line);
    CHECK(faults.find("acl:" + std::to_string(line) + ": ") != std::string::npos);
  }
  CHECK(std::count(faults.begin(), faults.end(), '\n') == 8);
  CHECK(faults.find("read, write, readwrite and deny") != std::string::npos);
}

TEST_CASE("Acl takes a right without a topic for a mistake, not for a topic", "[auth][acl]") {
  const std::string key = GENERATE("topic", "pattern");
  const std::string word = GENERATE("read", "write", "readwrite", "deny");
  const std::string blanks = GENERATE("", "  ", " \r");
  CAPTURE(key, word, blanks);
  const std::string fault = fault_of("user alice\n" + key + " " + word + blanks + "\n");
  CHECK(fault == "acl:2: there is no topic behind '" + word + "': write for instance '" + key +
                     " " + word + " news/#'; for a topic of that name '" + key + " readwrite " +
                     word + "'");
  const Acl acl = good(key + " readwrite " + word + "\n");
  CHECK(acl.check({"", "c"}, Access::read, word).allowed);
}

TEST_CASE("Acl takes every prefix of a file or names its last line", "[auth][acl]") {
  for (std::size_t size = 0; size <= file.size(); ++size) {
    const auto acl = Acl::parse(file.substr(0, size), "acl");
    CAPTURE(size);
    if (!acl) CHECK(acl.error().text.find('\n') == std::string::npos);
  }
}

}  // namespace naru::broker
