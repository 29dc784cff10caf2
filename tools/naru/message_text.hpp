// tools/naru/message_text.hpp
//
// A received message as a line of text or JSON.
//
// Sans-IO. Lives on any thread; pure functions over borrowed bytes.
#pragma once

#include <string>

#include "broker/mqtt/packets.hpp"
#include "storage/base/clock.hpp"

namespace naru::tools {

struct MessageForm {
  mqtt::Version version = mqtt::Version::v5;
  bool with_topic = false;
  bool json = false;
};

// Ends in a newline. As text the payload is written byte by byte, as it came.
std::string message_text(const mqtt::Publish& message, const MessageForm& form, WallMillis now);

// Standard base64 with padding, for payloads that are not UTF-8.
std::string base64(BytesView bytes);

}  // namespace naru::tools
