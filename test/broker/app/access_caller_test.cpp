// test/broker/app/access_caller_test.cpp
//
// Goal: the operator's service is asked in the words of the guide. Method: the JSON of a question.

#include "broker/app/access_caller.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace naru::broker {
namespace {

using Json = nlohmann::json;

Json asked(Access access, BytesView topic) {
  return Json::parse(right_question({"car1", "alice", "10.0.0.1"}, access, topic));
}

}  // namespace

TEST_CASE("A shared filter is asked about as what it delivers, with its group", "[access]") {
  CHECK(asked(Access::read, "$share/g/secret/#") == Json{{"client_id", "car1"},
                                                         {"user", "alice"},
                                                         {"address", "10.0.0.1"},
                                                         {"access", "read"},
                                                         {"topic", "secret/#"},
                                                         {"group", "g"}});
  CHECK(asked(Access::read, "$share/g//a")["topic"] == "/a");
}

TEST_CASE("What is not shared is asked about as it stands, without a group", "[access]") {
  for (const BytesView filter : {"secret/#", "$shared/g/a", "share/g/a"}) {
    const Json json = asked(Access::read, filter);
    CHECK(json["topic"] == filter);
    CHECK_FALSE(json.contains("group"));
  }
  const Json publish = asked(Access::write, "$share/g/a");  // A topic, whatever it looks like.
  CHECK(publish["topic"] == "$share/g/a");
  CHECK(publish["access"] == "write");
  CHECK_FALSE(publish.contains("group"));
}

}  // namespace naru::broker
