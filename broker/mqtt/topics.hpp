// broker/mqtt/topics.hpp
//
// The rules for MQTT strings, topics and filters, and the reference matcher.
//
// Sans-IO. Lives on any thread; pure functions over borrowed bytes. Never allocates.
// Bounded by: 65535 bytes, the longest string MQTT can write.
// Spec:       MQTT 5.0 sections 1.5.4 (UTF-8), 4.7 (topics), 4.8.2 (shared subscriptions).
#pragma once

#include <cstddef>
#include <optional>

#include "storage/base/bytes.hpp"

namespace naru::mqtt {

inline constexpr std::size_t string_size_limit = 65'535;

// Well-formed UTF-8 (no surrogates, nothing overlong) without U+0000. Empty is fine.
bool valid_utf8(BytesView text);

// What a PUBLISH may name: valid UTF-8, not empty, no wildcard.
bool valid_topic(BytesView topic);

// What a SUBSCRIBE may name: valid UTF-8, not empty, each wildcard a level of its own, '#' only
// at the end. Of $share/group/filter the group is not empty and without wildcard, and the rest
// is a filter again.
bool valid_filter(BytesView filter);

inline constexpr BytesView share_prefix = "$share/";

inline bool is_shared(BytesView filter) { return filter.starts_with(share_prefix); }

struct SharedFilter {
  BytesView group;
  BytesView filter;
};

// The parts of $share/group/filter, views into the argument. Nothing if it is not shared, or if
// group or filter are missing. Wildcards inside are valid_filter()'s business.
std::optional<SharedFilter> parse_shared(BytesView filter);

// The slow and obvious matcher that every index must agree with. A shared filter is matched by
// its inner filter. REQUIRES: both are valid.
bool filter_matches(BytesView filter, BytesView topic);

}  // namespace naru::mqtt
