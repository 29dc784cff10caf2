// broker/mqtt/reason_text.hpp
//
// What a reason code says to the developer of a client, in plain words: the Reason String where
// nobody knows more. None of them says what helps who tries to get in.
//
// Sans-IO. Lives on any thread; a pure function. Spec: MQTT 5.0 section 2.4.
#pragma once

#include <string_view>

#include "broker/mqtt/types.hpp"

namespace naru::mqtt {

// Empty for what is no failure, and for a number without a meaning.
std::string_view text_of(ReasonCode code);

}  // namespace naru::mqtt
