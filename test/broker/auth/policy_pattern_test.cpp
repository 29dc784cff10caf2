// test/broker/auth/policy_pattern_test.cpp
//
// Goal: a pattern with variables becomes the filter that its client's credentials say, or nothing,
// and never one that reaches further. Method: tables of patterns, values and what comes of them.

#include "broker/auth/policy_pattern.hpp"

#include <catch2/catch.hpp>

#include "storage/base/limits.hpp"
#include "test/broker/auth/acl_text.hpp"

namespace naru::broker {
namespace {

using std::literals::operator""s;

// Of a client of fleet 7 with odd values beside the good ones.
PolicyValues values_of_car() {
  PolicyValues values;
  values.claims.add("fleet", "7");
  values.claims.add("https://fleet.example/region", "west");
  values.claims.add("plus", "R+D");
  values.claims.add("hash", "#");
  values.claims.add("zero", "a\0b"s);
  values.claims.add("path", "a/b");
  values.claims.add("own", "$SYS");
  values.certificate.add("ou", "trucks");
  values.certificate.add("san.uri", "urn:car:1");
  return values;
}

struct Row {
  const char* pattern;
  const char* filter;  // With '+' where something lacks.
  const char* lacks = "";
  const char* moves = "";
};

Bytes name_of(const PolicyVariable* variable) {
  return variable == nullptr ? Bytes{} : to_string(*variable);
}

using test::fault_of;
using test::good;

}  // namespace

TEST_CASE("A pattern is filled in with what is known of its client", "[auth][acl]") {
  const auto row = GENERATE(values<Row>({
      {"a/b", "a/b"},
      {"car/%c/%u", "car/car1/alice"},
      {"car/${clientid}/${username}", "car/car1/alice"},
      {"%u%c", "alicecar1"},
      {"${jwt.fleet}", "7"},
      {"fleet/${jwt.fleet}/${cert.ou}/#", "fleet/7/trucks/#"},
      {"x-${jwt.fleet}-y/+", "x-7-y/+"},
      {"${cert.san.uri}/z", "urn:car:1/z"},
      {"${jwt.https://fleet.example/region}/a", "west/a"},
      {"50%/%x/$x/a$/%", "50%/%x/$x/a$/%"},
      // What lacks a value is any level, and whoever asks is told.
      {"fleet/${jwt.none}/a", "fleet/+/a", "${jwt.none}"},
      {"fleet/x-${jwt.none}-${cert.ou}", "fleet/+", "${jwt.none}"},
      {"${cert.cn}", "+", "${cert.cn}"},
      {"${jwt.none}/${jwt.plus}/#", "+/+/#", "${jwt.none}"},
      {"a/${jwt.plus}", "a/+", "${jwt.plus}"},
      {"a/${jwt.hash}", "a/+", "${jwt.hash}"},
      {"a/${jwt.zero}", "a/+", "${jwt.zero}"},
      // What has levels of its own is text, for a deny.
      {"a/${jwt.path}/c", "a/a/b/c", "", "${jwt.path}"},
      {"${jwt.own}/c", "$SYS/c", "", "${jwt.own}"},
      {"a/${jwt.own}/c", "a/$SYS/c"},
  }));
  const PolicyValues values = values_of_car();
  CAPTURE(row.pattern);
  const auto pattern = PolicyPattern::parse(row.pattern);
  REQUIRE(pattern.has_value());
  const PolicyPattern::Filled filled = pattern->fill({"alice", "car1", &values});
  CHECK(filled.filter == row.filter);
  CHECK(name_of(filled.lacks) == row.lacks);
  CHECK(name_of(filled.moves) == row.moves);
}

TEST_CASE("A client without names or credentials fills in nothing", "[auth][acl]") {
  for (const char* const text :
       {"%c", "%u", "${clientid}", "${username}", "${jwt.a}", "${cert.cn}", "${cert.serial}"}) {
    CAPTURE(text);
    const auto pattern = PolicyPattern::parse(text);
    REQUIRE(pattern.has_value());
    const PolicyPattern::Filled filled = pattern->fill({});
    CHECK(filled.lacks != nullptr);
    CHECK(filled.filter == "+");
  }
}

TEST_CASE("What is no variable is refused with all there are", "[auth][acl]") {
  for (const std::string name : {"", "client", "clientId", "cert", "cert.", "cert.CN", "cert.san",
                                 "jwt", "jwt.", "address"}) {
    CAPTURE(name);
    const std::string fault = fault_of("# 1\npattern read a/${" + name + "}/b\n");
    CHECK(fault.find("acl:2: ") != std::string::npos);
    CHECK(fault.find("'${" + name + "}' is no variable") != std::string::npos);
    for (const char* const known :
         {"${clientid}", "${username}", "${cert.san.uri}", "${jwt.CLAIM}"})
      CHECK(fault.find(known) != std::string::npos);
  }
  CHECK(fault_of("pattern read a/${jwt.fleet\n").find("no '}'") != std::string::npos);
  CHECK(fault_of("pattern read a/${jwt." + std::string(257, 'x') + "}\n") != "");
  CHECK(fault_of("pattern read ${jwt.a}#\n").find("no filter of MQTT") != std::string::npos);
}

TEST_CASE("A variable of a topic line is refused, other text with '$' is not", "[auth][acl]") {
  CHECK(fault_of("topic read fleet/${jwt.fleet}/#\n").find("'pattern'") != std::string::npos);
  CHECK(fault_of("topic deny ${username}\n").find("'pattern'") != std::string::npos);
  for (const char* const text :
       {"topic read a/${x}/b\n", "topic read a/${\n", "topic read %u/$x\n"})
    CHECK(fault_of(text).empty());
  CHECK(good("topic read a/${x}/b\n").check({}, Access::read, "a/${x}/b").allowed);
}

TEST_CASE("Acl grants by variables what they say and nothing beside it", "[auth][acl]") {
  const Acl acl = good(
      "pattern deny fleet/${jwt.fleet}/${jwt.none}\n"    // 1
      "pattern deny fleet/${jwt.path}/locked\n"          // 2
      "pattern write fleet/${jwt.fleet}/telemetry/%c\n"  // 3
      "pattern read region/${cert.ou}/#\n"               // 4
      "pattern readwrite odd/${jwt.plus}/${jwt.hash}\n"  // 5
      "pattern readwrite own/${jwt.path}/x\n"            // 6
      "pattern readwrite ${jwt.own}/#\n"                 // 7
      "pattern readwrite group/${jwt.none}/#\n"          // 8
      "pattern read user/%u/${jwt.fleet}\n"              // 9
      "pattern readwrite fleet/a/#\n");                  // 10
  const PolicyValues values = values_of_car();
  const AclSubject car{"", "car1", &values};
  constexpr Access r = Access::read, w = Access::write;
  const auto line = [&](Access access, BytesView topic) {
    const AclVerdict verdict = acl.check(car, access, topic);
    return verdict.allowed ? static_cast<int>(verdict.line) : -static_cast<int>(verdict.line);
  };
  CHECK(line(w, "fleet/7/telemetry/car1") == 3);
  CHECK(line(w, "fleet/8/telemetry/car1") == 0);
  CHECK(line(r, "region/trucks/today") == 4);
  CHECK(line(r, "region/cars/today") == 0);
  CHECK(line(w, "odd/R+D/#") == 0);
  CHECK(line(w, "odd/R/D") == 0);
  CHECK(line(w, "own/a/b/x") == 0);
  CHECK(line(r, "$SYS/broker/uptime") == 0);
  CHECK(line(w, "group//x") == 0);
  CHECK(line(w, "group/+/x") == 0);
  CHECK(line(r, "user//7") == 0);
  CHECK(line(w, "fleet/a/b") == 10);
  CHECK(line(w, "fleet/a/b/locked") == -2);  // Text, where it takes something away.
  CHECK(acl.check_filter(car, "region/+/x").allowed);
  CHECK_FALSE(acl.check_filter(car, "region/cars/#").allowed);
  CHECK_FALSE(acl.check_filter(car, "group/#").allowed);
}

TEST_CASE("A denial says which value is missing, where that is why", "[auth][acl]") {
  const Acl acl = good(
      "pattern write fleet/${jwt.none}/#\n"
      "pattern read region/${cert.o}/#\n"
      "pattern write own/${jwt.path}/x\n"
      "pattern write plus/${jwt.plus}\n");
  const PolicyValues values = values_of_car();
  const AclSubject car{"", "car1", &values};
  const auto why = [&](Access access, BytesView topic) {
    return acl.explain(acl.check(car, access, topic));
  };
  const std::string plain = "no rule of acl grants it";
  CHECK(why(Access::write, "fleet/7/x") == plain + "; line 1 would: no value for ${jwt.none}");
  CHECK(why(Access::read, "fleet/7/x") == plain);
  CHECK(why(Access::write, "elsewhere") == plain);
  CHECK(why(Access::write, "own/a/b/x") ==
        plain + "; line 3 would: the value of ${jwt.path} may not stand in a topic");
  CHECK(why(Access::write, "plus/R") ==
        plain + "; line 4 would: the value of ${jwt.plus} may not stand in a topic");
  CHECK(acl.explain(acl.check_filter(car, "region/west/+")) ==
        plain + "; line 2 would: no value for ${cert.o}");
}

TEST_CASE("A denial says which name may not stand in a topic", "[auth][acl]") {
  const Acl acl = good(
      "topic read open\n"
      "pattern readwrite #\n"
      "user a+b\n"
      "topic read open\n");
  const auto why = [&](BytesView user, BytesView client_id, Access access, BytesView topic) {
    const AclVerdict verdict = acl.check({user, client_id}, access, topic);
    return verdict.allowed ? std::string{"allowed"} : acl.explain(verdict);
  };
  const auto denied = [](const std::string& name) {
    return "acl: the " + name + " has '+' or '#' in it and may not stand in a topic, so the " +
           "patterns deny what no line of its own user grants: choose another " + name;
  };
  CHECK(why("", "a#", Access::write, "x") == denied("client id"));
  CHECK(why("a+b", "+", Access::write, "x") == denied("client id"));
  CHECK(why("a+b", "c", Access::write, "x") == denied("user name"));
  CHECK(why("a+b", "c", Access::read, "open") == "allowed");
  CHECK(why("", "a#", Access::read, "open") == "allowed");
  CHECK(acl.explain(acl.check_filter({"a+b", "c"}, "x/#")) == denied("user name"));
  CHECK(why("ab", "c", Access::write, "x") == "allowed");
  // Without a pattern a name is as good as any other.
  const Acl plain = good("topic read open\n");
  CHECK(plain.explain(plain.check({"", "a#"}, Access::write, "x")) == "no rule of acl grants it");
}

TEST_CASE("A will is let out where some value could have granted it", "[auth][acl]") {
  const Acl acl = good(
      "pattern write fleet/${jwt.fleet}/%c/gone\n"
      "pattern write users/%u/${jwt.fleet}\n"
      "pattern read region/${jwt.region}/x\n"
      "pattern deny fleet/locked/#\n"
      "pattern write plain/%c\n");
  const auto could = [&](BytesView client_id, BytesView topic) {
    return acl.could_grant({"", client_id}, Access::write, topic);
  };
  CHECK(could("car1", "fleet/7/car1/gone"));
  CHECK(could("car1", "plain/car1"));
  CHECK_FALSE(could("car1", "fleet/7/car2/gone"));
  CHECK_FALSE(could("car1", "fleet/7/8/car1/gone"));
  CHECK_FALSE(could("car1", "fleet/locked/car1/gone"));
  CHECK_FALSE(could("car1", "users//7"));
  CHECK_FALSE(could("car1", "region/west/x"));
  CHECK_FALSE(could("#", "fleet/7/#/gone"));
}

TEST_CASE("Acl names its variables once", "[auth][acl]") {
  const Acl acl = good(
      "pattern read ${jwt.a}/${cert.ou}/%c\n"
      "pattern deny ${cert.ou}/${username}/${jwt.b}\n");
  std::vector<Bytes> names;
  for (const PolicyVariable& each : acl.variables()) names.push_back(to_string(each));
  CHECK(names == std::vector<Bytes>{"${jwt.a}", "${cert.ou}", "${jwt.b}"});
}

TEST_CASE("NamedValues finds what was added, and keeps nothing too long or empty", "[auth]") {
  NamedValues values;
  const Bytes longest(limits::policy_value_bytes, 'v');
  CHECK(values.empty());
  values.add("a", "1");
  values.add("empty", "");
  values.add("", "nameless");
  values.add("long", longest);
  values.add("longer", longest + "v");
  values.add("b\0c"s, "\0/#"s);
  CHECK(values.find("a") == BytesView{"1"});
  CHECK(values.find("long") == BytesView{longest});
  CHECK(values.find("b\0c"s) == BytesView{"\0/#", 3});
  for (const char* const none : {"empty", "", "longer", "b", "1"}) CHECK_FALSE(values.find(none));
}

}  // namespace naru::broker
