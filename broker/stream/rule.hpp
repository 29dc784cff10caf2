// broker/stream/rule.hpp
//
// Rules put publishes into streams: `from` filters choose, a `key` template says whose record it
// is. A publish whose key cannot be made goes to the dead-letter stream with the reason.
//
// Sans-IO. A RuleSet is made at start and never changed; any thread may evaluate it.
// Bounded by: rules in the configuration; a key by key_size_max.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/tables/message.hpp"

namespace naru::broker {

inline constexpr std::size_t key_size_max = 512;
inline constexpr std::string_view dead_letter_stream = "dead-letter";

// Why a record is a dead letter; stored, so append only.
enum class StreamNote : std::uint8_t { none, key_missing, not_json, key_too_long, too_many_keys };
std::string_view name(StreamNote note);

// Text with ${field.sub}, ${topic[N]} and ${client_id} in it.
class KeyTemplate {
 public:
  static Result<KeyTemplate> parse(std::string_view text);

  struct Made {
    Bytes key;
    StreamNote note = StreamNote::none;
    Bytes note_text;  // Which part could not be filled.
  };
  Made make(const storage::MessageView& message) const;

 private:
  struct Text {
    Bytes text;
  };
  struct Field {
    Bytes path;  // Names with dots between.
  };
  struct TopicLevel {
    std::size_t level = 0;
  };
  struct ClientId {};
  using Part = std::variant<Text, Field, TopicLevel, ClientId>;

  std::vector<Part> parts_;
  std::vector<Bytes> fields_;
};

struct Rule {
  Bytes name;
  std::vector<Bytes> from;
  Bytes stream;
  KeyTemplate key;
};

using RuleSet = std::vector<Rule>;

}  // namespace naru::broker
