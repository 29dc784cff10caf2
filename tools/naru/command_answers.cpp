// tools/naru/command_answers.cpp
#include "tools/naru/command_answers.hpp"

#include <algorithm>
#include <array>

#include "broker/mqtt/properties.hpp"
#include "tools/naru/output.hpp"

namespace naru::tools {
namespace {

constexpr std::size_t known_max = 64;
constexpr Millis until_running{100};

// What the vehicles can do, how long it takes, and what they answer.
struct SkillRow {
  std::string_view name;
  Millis takes;
  std::string_view result;
};
constexpr std::array skills = {
    SkillRow{"unlock", Millis{400}, R"({"doors":"unlocked"})"},
    SkillRow{"lock", Millis{400}, R"({"doors":"locked"})"},
    SkillRow{"honk", Millis{300}, R"({"honked":true})"},
    SkillRow{"blink", Millis{300}, R"({"blinked":true})"},
    SkillRow{"start_engine", Millis{900}, R"({"engine":"running"})"},
    SkillRow{"stop_engine", Millis{500}, R"({"engine":"off"})"},
    SkillRow{"climate", Millis{600}, R"({"climate":"set"})"},
    SkillRow{"read_faults", Millis{800}, R"({"faults":[]})"},
    SkillRow{"ping", Millis{150}, R"({"pong":true})"},
};

const SkillRow* find_skill(std::string_view name) {
  const auto* const found = std::find_if(skills.begin(), skills.end(),
                                         [&](const SkillRow& row) { return row.name == name; });
  return found == skills.end() ? nullptr : found;
}

std::string answer_text(std::string_view state, std::string_view result) {
  std::string text{R"({"state":")"};
  text.append(state).append("\"");
  if (!result.empty()) text.append(",\"result\":").append(result);
  return text.append("}");
}

CommandAnswers::Answer address_of(const mqtt::Publish& message) {
  CommandAnswers::Answer answer;
  answer.topic = Bytes{message.topic} + "/reply";
  for (const mqtt::Property& property : mqtt::PropertyRange{message.properties}) {
    if (property.id == mqtt::property::response_topic) answer.topic = Bytes{property.bytes};
    if (property.id == mqtt::property::correlation_data) answer.correlation = property.bytes;
  }
  return answer;
}

std::string command_name(BytesView payload) {
  const Json command = Json::parse(payload, nullptr, false);
  if (command.is_discarded()) return {};
  const Json name = find_member(command, "name");
  return name.is_string() ? name.get<std::string>() : std::string{};
}

}  // namespace

void CommandAnswers::on_command(const mqtt::Publish& message, Instant now) {
  const BytesView id = message.topic.substr(message.topic.rfind('/') + 1);
  if (Known* const known = find_known(id)) {
    if (!known->last.payload.empty()) steps_.push_back({now, known->id, known->last});
    return;
  }
  if (known_.size() == known_max) known_.pop_front();
  known_.push_back({Bytes{id}, {}});
  const Answer base = address_of(message);
  const SkillRow* const skill = find_skill(command_name(message.payload));
  if (skill == nullptr) {
    add(now, base, answer_text("rejected", R"({"reason":"unknown command"})"));
    return;
  }
  add(now, base, answer_text("accepted", ""));
  add(now + until_running, base, answer_text("running", ""));
  add(now + until_running + skill->takes, base, answer_text("succeeded", skill->result));
}

void CommandAnswers::add(Instant due, const Answer& base, std::string payload) {
  steps_.push_back({due, known_.back().id, {base.topic, std::move(payload), base.correlation}});
}

Instant CommandAnswers::next_due() const {
  Instant next = Instant::never();
  for (const Step& step : steps_) next = std::min(next, step.due);
  return next;
}

bool CommandAnswers::take_due(Instant now, Answer& out) {
  const auto first = std::min_element(steps_.begin(), steps_.end(),
                                      [](const Step& a, const Step& b) { return a.due < b.due; });
  if (first == steps_.end() || first->due > now) return false;
  out = first->answer;
  if (Known* const known = find_known(first->id)) known->last = out;
  steps_.erase(first);
  return true;
}

CommandAnswers::Known* CommandAnswers::find_known(BytesView id) {
  for (Known& known : known_) {
    if (known.id == id) return &known;
  }
  return nullptr;
}

}  // namespace naru::tools
