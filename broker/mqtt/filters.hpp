// broker/mqtt/filters.hpp
//
// What filters have to do with one another: whether one has all topics of another, or any.
//
// Sans-IO. Lives on any thread; pure functions over borrowed bytes. Never allocates.
// Bounded by: the levels of the shorter filter.
// Spec:       MQTT 5.0 section 4.7.
#pragma once

#include "storage/base/bytes.hpp"

namespace naru::mqtt {

// Both REQUIRE valid filters that are not shared.

// Every topic that matches `inner` matches `outer`.
bool filter_covers(BytesView outer, BytesView inner);
// There is a topic that matches both.
bool filters_overlap(BytesView a, BytesView b);

}  // namespace naru::mqtt
