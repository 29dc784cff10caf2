// test/fuzz/mosquitto_db_fuzz.cpp
//
// Any bytes are a mosquitto.db or an error, and what is read lies within them.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "tools/naru/mosquitto_db.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const naru::BytesView file{reinterpret_cast<const char*>(data), size};
  const auto db = naru::tools::decode_mosquitto_db(file);
  if (!db) return 0;
  for (const auto& place : db->places) {
    if (db->message(place.message).topic.empty()) std::abort();
  }
  return 0;
}
