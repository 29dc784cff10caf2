// test/fuzz/proxy_fuzz.cpp
//
// Goal: no bytes make the PROXY decoder read out of bounds, and a header that is whole is whole
// whatever follows. Method: both versions over the same bytes; a whole one again without what is
// behind it.

#include <cstddef>
#include <cstdint>

#include "broker/transport/proxy_header.hpp"
#include "storage/base/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace naru::transport;
  const naru::BytesView wire{reinterpret_cast<const char*>(data), size};
  for (const unsigned version : {1u, 2u}) {
    ProxyHeader header;
    if (decode_proxy_header(wire, version, header) != ProxyVerdict::complete) continue;
    NARU_CHECK(header.size > 0 && header.size <= wire.size());
    ProxyHeader again;
    const auto verdict = decode_proxy_header(wire.substr(0, header.size), version, again);
    NARU_CHECK(verdict == ProxyVerdict::complete && again.address == header.address);
  }
  return 0;
}
