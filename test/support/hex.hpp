// test/support/hex.hpp
//
// Bytes from hexadecimal text and back, so that a test shows packets as the specification does.
//
// Sans-IO. Lives on any thread; values. Owned by the caller. Unbounded: texts are in tests.
#pragma once

#include <string>
#include <string_view>

#include "storage/base/bytes.hpp"

namespace naru::test {

// Spaces and line ends between bytes are skipped; "..." in single quotes stands for its own
// characters: from_hex("10 0e 00 04 'MQTT' 05"). Aborts on anything else: the test is wrong.
Bytes from_hex(std::string_view text);
// Two lower-case digits a byte, one space between bytes.
std::string to_hex(BytesView bytes);

}  // namespace naru::test
