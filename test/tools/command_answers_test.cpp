// test/tools/command_answers_test.cpp
//
// Goal: a vehicle answers a command once, step by step, to where the broker asked. Method: one
// command at a time, with the clock moved by hand.

#include <catch2/catch.hpp>

#include <vector>

#include "storage/base/byte_writer.hpp"
#include "tools/naru/command_answers.hpp"

namespace naru::tools {
namespace {

mqtt::Publish command(BytesView topic, BytesView payload, BytesView properties = {}) {
  mqtt::Publish publish;
  publish.topic = topic;
  publish.payload = payload;
  publish.properties = properties;
  return publish;
}

std::vector<std::string> answers_until(CommandAnswers& answers, Instant now) {
  std::vector<std::string> payloads;
  CommandAnswers::Answer answer;
  while (answers.take_due(now, answer)) payloads.push_back(answer.payload);
  return payloads;
}

constexpr Instant start{Seconds{100}};
constexpr const char* topic = "vehicles/car-0001/commands/c1";

}  // namespace

TEST_CASE("A known command is accepted, then running, then succeeded", "[tools]") {
  CommandAnswers answers;
  answers.on_command(command(topic, R"({"id":"c1","name":"unlock","payload":null})"), start);
  CommandAnswers::Answer answer;
  REQUIRE(answers.take_due(start, answer));
  CHECK(answer.topic == "vehicles/car-0001/commands/c1/reply");
  CHECK(answer.payload == R"({"state":"accepted"})");
  CHECK_FALSE(answers.take_due(start, answer));
  CHECK(answers.next_due() == start + Millis{100});
  CHECK(answers_until(answers, start + Millis{100}) ==
        std::vector<std::string>{R"({"state":"running"})"});
  CHECK(answers_until(answers, start + Seconds{10}) ==
        std::vector<std::string>{R"({"state":"succeeded","result":{"doors":"unlocked"}})"});
  CHECK(answers.next_due() == Instant::never());
}

TEST_CASE("What a vehicle does not know or cannot read it rejects", "[tools]") {
  const auto* payload = GENERATE(R"({"name":"fly"})", R"({"name":7})", "{}", "[]", "fly", "");
  CommandAnswers answers;
  answers.on_command(command(topic, payload), start);
  CHECK(answers_until(answers, start) ==
        std::vector<std::string>{R"({"state":"rejected","result":{"reason":"unknown command"}})"});
}

TEST_CASE("A command that comes again is not carried out again", "[tools]") {
  CommandAnswers answers;
  const auto unlock = command(topic, R"({"name":"unlock"})");
  answers.on_command(unlock, start);
  REQUIRE(answers_until(answers, start + Seconds{10}).size() == 3);
  answers.on_command(unlock, start + Seconds{11});
  CHECK(answers_until(answers, start + Seconds{20}) ==
        std::vector<std::string>{R"({"state":"succeeded","result":{"doors":"unlocked"}})"});
}

TEST_CASE("An answer goes to the response topic and gives the correlation data back", "[tools]") {
  Bytes block;
  ByteWriter writer{block};
  writer.u8(mqtt::property::response_topic);
  writer.block16("answers/here");
  writer.u8(mqtt::property::correlation_data);
  writer.block16("XY");
  CommandAnswers answers;
  answers.on_command(command(topic, R"({"name":"ping"})", block), start);
  CommandAnswers::Answer answer;
  REQUIRE(answers.take_due(start, answer));
  CHECK(answer.topic == "answers/here");
  CHECK(answer.correlation == "XY");
}

}  // namespace naru::tools
