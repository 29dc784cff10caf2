// broker/session/subscription_options.hpp
//
// The bits of a filter's options, as MQTT 5 has them in SUBSCRIBE (section 3.8.3.1).
//
// Sans-IO constants.
#pragma once

#include <cstdint>

#include "storage/tables/message.hpp"

namespace naru::broker {

inline constexpr std::uint8_t no_local = 4;
inline constexpr std::uint8_t retain_as_published = 8;

// A retained message that would go back to the client that published it and does not want it.
inline bool is_echo(std::uint8_t options, const storage::MessageView& view, BytesView client_id) {
  return (options & no_local) != 0 && view.sender == client_id;
}

}  // namespace naru::broker
