// test/broker/http/command_request_test.cpp
//
// Goal: a command is taken as it was meant or refused with a reason, and told as the contract says.
// Method: tables of bodies; JSON compared as text.

#include "broker/http/command_request.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace naru::broker {
namespace {

using storage::CommandRow, storage::CommandState;

CommandRow some_command() {
  CommandRow row;
  row.device = "car1";
  row.id = "7";
  row.name = "unlock";
  row.payload = R"({"door":"driver"})";
  row.created_at = 1000;
  row.expires_wall = 61000;
  row.steps = {{CommandState::queued, 1000}, {CommandState::sent, 1500}};
  return row;
}

}  // namespace

TEST_CASE("A command takes what it is given and defaults for the rest", "[http]") {
  const auto whole =
      parse_command(R"({"name":"unlock","payload":{"b":1,"a":[2]},"expires_s":5,"id":"order-17"})");
  REQUIRE(whole.has_value());
  CHECK(whole->name == "unlock");
  CHECK(whole->payload == R"({"b":1,"a":[2]})");
  CHECK(whole->expires_s == 5);
  CHECK(whole->id == "order-17");
  const auto least = parse_command(R"({"name":"unlock"})");
  REQUIRE(least.has_value());
  CHECK(least->payload == "null");
  CHECK(least->expires_s == command_expiry_s_default);
  CHECK(least->id.empty());
}

TEST_CASE("A bad command is refused", "[http]") {
  const Bytes body =
      GENERATE("", "null", "[]", "no json", "{}", R"({"name":""})", R"({"name":5})",
               R"({"name":"x","expires_s":-1})", R"({"name":"x","expires_s":0})",
               R"({"name":"x","expires_s":1.5})", R"({"name":"x","expires_s":"soon"})",
               R"({"name":"x","expires_s":31622401})", R"({"name":"x","id":""})",
               R"({"name":"x","id":5})", R"({"name":"x","id":"a/b"})", R"({"name":"x","id":"#"})",
               R"({"name":"x","id":"+"})", R"({"name":"x","id":"a\u0000b"})", "{\"name\":\"\xff\"}",
               R"({"name":"x","expires":5})", R"({"name":"x","Payload":1})");
  CAPTURE(body);
  const auto command = parse_command(body);
  REQUIRE_FALSE(command.has_value());
  CHECK(command.error().code == Errc::invalid);
}

TEST_CASE("JSON that nests without end is refused before it is walked", "[http]") {
  const auto nested = [](std::size_t depth) {
    return R"({"name":"x","payload":)" + Bytes(depth, '[') + Bytes(depth, ']') + "}";
  };
  CHECK(parse_command(nested(json_depth_max - 1)).has_value());
  CHECK_FALSE(parse_command(nested(json_depth_max)).has_value());
  CHECK_FALSE(parse_command(nested(500'000)).has_value());
  CHECK(parse_json(R"(["[[[\"[[[", 1])").has_value());  // Brackets in strings do not nest.
}

TEST_CASE("A device must fit one level of a topic", "[http]") {
  CHECK(check_device("car-1 \xc3\xbc").has_value());
  const Bytes device =
      GENERATE(as<Bytes>{}, "", "a/b", "+", "a#", Bytes("a\0b", 3), "\xff", Bytes(1025, 'x'));
  CAPTURE(device);
  CHECK_FALSE(check_device(device).has_value());
}

TEST_CASE("A command is told with its states", "[http]") {
  CHECK(dump(command_json(some_command())) ==
        R"({"id":"7","device":"car1","name":"unlock","payload":{"door":"driver"},)"
        R"("state":"sent","version":2,"created_at":1000,"expires_at":61000,)"
        R"("states":[{"state":"queued","at":1000},{"state":"sent","at":1500}],"result":null})");
}

TEST_CASE("A result is JSON where it can be and text where it cannot", "[http]") {
  CommandRow row = some_command();
  row.result = R"({"took_ms":12})";
  CHECK(command_json(row)["result"]["took_ms"] == 12);
  row.result = "door open";
  CHECK(command_json(row)["result"] == "door open");
  row.result = Bytes(100'000, '[');
  CHECK(command_json(row)["result"].is_string());
}

}  // namespace naru::broker
