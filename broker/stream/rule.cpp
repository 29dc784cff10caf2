#include "broker/stream/rule.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "broker/stream/json_fields.hpp"

namespace naru::broker {

namespace {

constexpr std::array<std::string_view, 5> note_names = {"none", "key_missing", "not_json",
                                                        "key_too_long", "too_many_keys"};

std::optional<BytesView> topic_level(BytesView topic, std::size_t level) {
  for (; level > 0; --level) {
    const std::size_t slash = topic.find('/');
    if (slash == BytesView::npos) return std::nullopt;
    topic.remove_prefix(slash + 1);
  }
  return topic.substr(0, topic.find('/'));
}

}  // namespace

std::string_view name(StreamNote note) { return note_names[static_cast<std::size_t>(note)]; }

Result<KeyTemplate> KeyTemplate::parse(std::string_view text) {
  KeyTemplate made;
  const std::string_view whole = text;
  const auto bad = [&](std::string_view why) {
    return Error{Errc::invalid, "key template '" + Bytes{whole} + "': " + Bytes{why}};
  };
  while (!text.empty()) {
    const std::size_t open = text.find("${");
    if (open != 0) made.parts_.emplace_back(Text{Bytes{text.substr(0, open)}});
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) return bad("'${' without '}'");
    const std::string_view inner = text.substr(open + 2, close - open - 2);
    text.remove_prefix(close + 1);
    if (inner.empty()) return bad("'${}' names nothing; write ${field}, ${topic[1]}, ${client_id}");
    if (inner == "client_id") {
      made.parts_.emplace_back(ClientId{});
    } else if (inner.starts_with("topic[") && inner.ends_with("]")) {
      TopicLevel level;
      const std::string_view digits = inner.substr(6, inner.size() - 7);
      const char* const end = digits.data() + digits.size();
      const auto read = std::from_chars(digits.data(), end, level.level);
      if (digits.empty() || read.ptr != end) return bad("${topic[N]} wants a number, from 0");
      made.parts_.emplace_back(level);
    } else {
      made.parts_.emplace_back(Field{Bytes{inner}});
      made.fields_.emplace_back(inner);
    }
  }
  if (made.parts_.empty()) return bad("it is empty");
  return made;
}

KeyTemplate::Made KeyTemplate::make(const storage::MessageView& message) const {
  Made made;
  JsonFields fields;
  if (!fields_.empty()) {
    fields = read_json_fields(message.payload, fields_);
    if (!fields.valid) return {{}, StreamNote::not_json, "the payload is not JSON"};
  }
  std::size_t field = 0;
  const auto missing = [](BytesView what) {
    return Made{{}, StreamNote::key_missing, Bytes{what}};
  };
  for (const Part& part : parts_) {
    if (const auto* text = std::get_if<Text>(&part)) made.key += text->text;
    if (std::holds_alternative<ClientId>(part)) made.key += message.sender;
    if (const auto* level = std::get_if<TopicLevel>(&part)) {
      const auto found = topic_level(message.topic, level->level);
      if (!found) return missing("topic[" + std::to_string(level->level) + "]");
      made.key += *found;
    }
    if (const auto* path = std::get_if<Field>(&part)) {
      const auto& value = fields.values[field++];
      if (!value) return missing(path->path);
      made.key += *value;
    }
  }
  if (made.key.empty()) return missing("the key is empty");
  if (made.key.size() > key_size_max) return {{}, StreamNote::key_too_long, "over 512 bytes"};
  return made;
}

}  // namespace naru::broker
