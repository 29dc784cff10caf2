// storage/base/crc32c.hpp
//
// CRC-32C (Castagnoli), the checksum of our records and the frozen hash that gives a client id
// its lane: its value for given bytes never changes between releases or machines.
//
// Sans-IO: a pure function. Lives on any thread. Owns nothing. Never allocates.
#pragma once

#include <cstdint>

#include "storage/base/bytes.hpp"

namespace naru {

// `before` is the checksum of the bytes in front, so that
// crc32c(ab) == crc32c(b, crc32c(a)). Uses the processor's instruction where there is one.
[[nodiscard]] std::uint32_t crc32c(BytesView bytes, std::uint32_t before = 0);

// The same by tables alone; what a processor without the instruction runs.
[[nodiscard]] std::uint32_t crc32c_portable(BytesView bytes, std::uint32_t before = 0);

}  // namespace naru
