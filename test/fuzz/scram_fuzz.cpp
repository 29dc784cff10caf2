// test/fuzz/scram_fuzz.cpp
//
// Goal: no bytes make the server of SCRAM misbehave, and none are a proof. Method: the first line
// is the client's first message, the rest its last.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "broker/auth/scram.hpp"
#include "storage/base/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace naru::broker;
  const naru::BytesView text{reinterpret_cast<const char*>(data), size};
  const std::size_t end = std::min(text.find('\n'), text.size());
  const naru::BytesView first = text.substr(0, end);
  const auto user = ScramServer::user_of(first);
  if (!user) return 0;
  NARU_CHECK(!user->empty());
  static const ScramKeys keys = make_scram_keys("a password nobody guesses", "salt", 1);
  ScramServer server;
  server.challenge(first, keys, "nonce");
  NARU_CHECK(!server.verify(text.substr(std::min(end + 1, text.size()))));
  return 0;
}
