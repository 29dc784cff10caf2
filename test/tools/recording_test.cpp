// test/tools/recording_test.cpp
//
// Goal: recordings as they lie on real disks are read, and a fleet made from a seed is the same
// each time. Method: small texts with the defects of real files; two sources side by side.

#include <catch2/catch.hpp>

#include <cmath>

#include "tools/naru/recording.hpp"
#include "tools/naru/signal_source.hpp"

namespace naru::tools {
namespace {

std::string next_row(SignalSource& source) {
  std::string json;
  source.append_next(json);
  return json;
}

}  // namespace

TEST_CASE("Signal names lose units, blanks and capitals", "[tools]") {
  CHECK(signal_name("ENGINE_RPM ()") == "engine_rpm");
  CHECK(signal_name(" Fuel Level (%)") == "fuel_level");
  CHECK(signal_name("VEHICLE_SPEED ()") == "speed");
  CHECK(signal_name("speed") == "speed");
  CHECK(signal_name("\"O2 / bank-1\"") == "o2_bank_1");
  CHECK(signal_name(" () ").empty());
}

TEST_CASE("A recording survives blanks, final commas, CRLF and a byte order mark", "[tools]") {
  const auto read = parse_recordings(
      "\xef\xbb\xbfRPM (),VEHICLE_SPEED ()\r\n800.000000, 0.000000,\r\n 1200, 17.647058,\r\n\r\n",
      "drive");
  REQUIRE(read.has_value());
  REQUIRE(read->size() == 1);
  const Recording& drive = read->front();
  CHECK(drive.name() == "drive");
  CHECK(drive.signals() == std::vector<std::string>{"rpm", "speed"});
  REQUIRE(drive.rows() == 2);
  std::string json;
  append_signals(json, drive, 1);
  CHECK(json == ",\"rpm\":1200,\"speed\":17.647058");
}

TEST_CASE("Cells that are no numbers are left out of their row", "[tools]") {
  const auto read = parse_recordings("a,b,b,\n1,,3\nx,nan,inf\n,2\n", "f");
  REQUIRE(read.has_value());
  const Recording& recording = read->front();
  CHECK(recording.signals() == std::vector<std::string>{"a", "b", "b_2"});
  REQUIRE(recording.rows() == 2);
  std::string json;
  append_signals(json, recording, 0);
  append_signals(json, recording, 1);
  CHECK(json == ",\"a\":1,\"b_2\":3,\"b\":2");
}

TEST_CASE("A file of tracks becomes a recording for each of them", "[tools]") {
  const auto read = parse_recordings(
      "track_id,lon,lat,speed,time\n"
      "128,23.73,37.99,12.5,1970-01-01 00:00:00.000\n"
      "7,23.74,37.98,0,1970-01-01 00:00:00.000\n"
      "128,23.75,37.97,13,1970-01-01 00:00:01.000\n",
      "tracks");
  REQUIRE(read.has_value());
  REQUIRE(read->size() == 2);
  CHECK((*read)[0].name() == "tracks#128");
  CHECK((*read)[0].rows() == 2);
  CHECK((*read)[1].rows() == 1);
  std::string json;
  append_signals(json, (*read)[0], 1);
  CHECK(json == ",\"lon\":23.75,\"lat\":37.97,\"speed\":13");
}

TEST_CASE("A file without columns or numbers is refused by name", "[tools]") {
  const auto* text = GENERATE("", "\n\n", "a,b\n", "a,b\nx,y\n", "track_id\n1\n");
  const auto read = parse_recordings(text, "empty.csv");
  REQUIRE(!read.has_value());
  CHECK(read.error().text.find("empty.csv: ") == 0);
}

TEST_CASE("A replay begins at its row and starts again at the end", "[tools]") {
  const auto read = parse_recordings("n\n0\n1\n2\n", "f");
  REQUIRE(read.has_value());
  Replay replay{read->front(), 7};  // Row 7 of 3 is row 1.
  CHECK(next_row(replay) == ",\"n\":1");
  CHECK(next_row(replay) == ",\"n\":2");
  CHECK(next_row(replay) == ",\"n\":0");
}

TEST_CASE("A made-up drive depends on its seed alone", "[tools]") {
  MadeUpDrive one{1};
  MadeUpDrive same{1};
  MadeUpDrive other{2};
  bool differs = false;
  for (int i = 0; i < 600; ++i) {
    const std::string row = next_row(one);
    CHECK(row == next_row(same));
    differs = differs || row != next_row(other);
    CHECK(row.find(",\"speed\":") == 0);
  }
  CHECK(differs);
}

}  // namespace naru::tools
