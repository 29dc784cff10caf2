// broker/session/delayed_topic.hpp
//
// The topic of a publish that is not to go out before its time: $delayed/SECONDS/TOPIC, where
// TOPIC is what it is published to then.
//
// Sans-IO; pure functions over borrowed bytes. Bounded by: limits::delay_seconds.
#pragma once

#include <cstdint>

#include "storage/base/bytes.hpp"

namespace naru::broker {

inline constexpr BytesView no_delayed_topic =
    "a delayed topic is $delayed/SECONDS/TOPIC, with SECONDS from 0 to 4294967";
inline constexpr BytesView no_delayed_will =
    "a will has no delayed topic, but a Will Delay Interval of its own";

// Whether a topic is meant as one of these, well formed or not.
bool is_delayed(BytesView topic);

// Makes of `topic` what it is published to, and says after how long. False: it is no such topic,
// and nothing has changed. REQUIRES: is_delayed().
bool take_delay(BytesView& topic, std::uint32_t& seconds);

}  // namespace naru::broker
