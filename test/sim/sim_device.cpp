#include "test/sim/sim_device.hpp"

#include <algorithm>
#include <utility>

namespace naru::test {

using broker::CommandState;
using State = ModelClient::State;
using ClosedBy = ModelClient::ClosedBy;

namespace {

constexpr LinkId first_link = LinkId{1} << 40;  // Links of the crowd count from 1.
constexpr std::string_view topic_start = "vehicles/";
constexpr std::string_view topic_middle = "/commands/";

ModelOptions options_of(const DeviceManner& manner, std::uint32_t number) {
  ModelOptions options;
  options.number = number;
  options.client_id = manner.id;
  options.version = manner.version;
  options.clean_start = !manner.persistent;
  options.session_expiry = manner.persistent ? manner.session_expiry : 0;
  options.receive_maximum = manner.receive_maximum;
  if (manner.receive_maximum < 20) options.ack_delay = Millis{30};
  return options;
}

// Of its topic: vehicles/DEVICE/commands/ID. Empty: it is none.
std::string command_of(std::string_view topic) {
  const std::size_t middle = topic.find(topic_middle);
  if (!topic.starts_with(topic_start) || middle == std::string_view::npos) return {};
  return std::string(topic.substr(middle + topic_middle.size()));
}

}  // namespace

SimDevice::SimDevice(const DeviceManner& manner, std::uint32_t number, Faults faults, History& seen,
                     CommandHistory& commands, Rng rng)
    : manner_(manner),
      faults_(faults),
      seen_(seen),
      commands_(commands),
      rng_(rng),
      client_(options_of(manner, number), seen) {}

void SimDevice::add(CommandEvent event, const std::string& command, Instant now,
                    CommandRecord more) {
  more.at = SimNode::store_now(now);
  more.event = event;
  more.command = command;
  commands_.push_back(std::move(more));
}

// ---- the wire ----------------------------------------------------------------------------------

SimDevice::Link* SimDevice::attached() {
  return !links_.empty() && links_.back().attached ? &links_.back() : nullptr;
}

void SimDevice::open(SimNode& node, Instant now) {
  Link& link = links_.emplace_back();
  link.id = first_link * client_.options().number + ++links_opened_;
  granted_ = granted_ && manner_.persistent;
  asked_ = false;
  if (manner_.clean_start > 0) {
    client_.set_clean_start(!calm_ && rng_.chance(manner_.clean_start));
  }
  node.open(link.id, now);
  client_.on_open(now);
}

// The client has no connection any more; the broker may believe in it for a while.
void SimDevice::detach(Instant now) {
  Link* const link = attached();
  if (link == nullptr) return;
  link->attached = false;
  link->down.clear();
  const auto delay = rng_.chance(0.5) ? rng_.below(3'000) : rng_.below(5);
  link->hang_up_at = now + Millis{static_cast<std::int64_t>(delay)};
}

void SimDevice::on_broker_dead(Instant now) {
  if (Link* const link = attached()) {
    if (rng_.chance(0.5)) client_.on_bytes(link->down, now);
    client_.on_closed(ClosedBy::broken, now);
  }
  links_.clear();
  scan();
}

void SimDevice::take_output(SimNode& node, Instant now) {
  for (Link& link : links_) {
    for (;;) {
      const Bytes bytes = node.take_output(link.id, 65'536);
      if (bytes.empty()) break;
      listen(link, bytes, now);
      if (link.attached) link.down += bytes;
    }
  }
}

void SimDevice::listen(Link& link, BytesView bytes, Instant now) {
  link.listened.append(bytes);
  std::size_t used = 0;
  for (;;) {
    mqtt::Frame frame;
    const BytesView rest = BytesView{link.listened}.substr(used);
    if (next_frame(rest, 0, frame) != mqtt::Framing::complete) break;
    used += frame.size;
    mqtt::Publish publish;
    if (type_of(frame) != mqtt::PacketType::publish) continue;
    if (decode_publish(frame, manner_.version, publish) != mqtt::DecodeError::none) continue;
    CommandRecord left;
    left.number = link.id;
    add(CommandEvent::left, command_of(publish.topic), now, left);
  }
  link.listened.erase(0, used);
}

// ---- what it does ------------------------------------------------------------------------------

void SimDevice::step(SimNode* node, Instant now) {
  if (!calm_ && manner_.sleeps && rng_.chance(0.003)) awake_ = !awake_;
  if (client_.state() == State::closed) {
    if (node != nullptr && awake_ && rng_.chance(calm_ ? 0.5 : 0.1)) open(*node, now);
  } else {
    act(now);
  }
  if (node == nullptr) return;
  for (Link& link : links_) {
    if (link.attached && client_.has_output()) node->input(link.id, client_.take_output());
    if (link.attached && !link.down.empty() && rng_.chance(0.8)) {
      std::size_t size = link.down.size();
      if (!calm_ && rng_.chance(faults_.partial)) size = rng_.below(size + 1);
      client_.on_bytes(BytesView{link.down}.substr(0, size), now);
      link.down.erase(0, size);
    }
    const SimNode::Ending ending = node->ending_of(link.id);
    if (link.attached && ending.ended && link.down.empty()) {
      link.attached = false;
      client_.on_closed(ending.in_good_order ? ClosedBy::peer : ClosedBy::broken, now);
    } else if (link.attached && client_.wants_close()) {
      detach(now);
      client_.on_closed(ClosedBy::broken, now);
    } else if (now >= link.hang_up_at) {
      node->hang_up(link.id);
      link.hang_up_at = Instant::never();
    }
  }
  std::erase_if(links_,
                [&](const Link& link) { return !link.attached && node->ending_of(link.id).ended; });
  scan();
}

void SimDevice::act(Instant now) {
  client_.on_time(now);
  if (client_.state() != State::online) return;
  if (!asked_ && !granted_) {
    const std::string filter =
        std::string(topic_start) + manner_.id + std::string(topic_middle) + '+';
    asked_ = client_.subscribe({filter, manner_.takes}, now);
  } else if (!calm_ && rng_.chance(0.005)) {
    asked_ = granted_ = false;  // Asks again for what it has, as some do.
  }
  speak(now);
  if (calm_) return;
  if (!awake_ || rng_.chance(faults_.leave)) client_.disconnect(now);
  if (rng_.chance(faults_.cut)) {
    detach(now);
    client_.on_closed(ClosedBy::broken, now);
  }
}

void SimDevice::speak(Instant now) {
  for (Word& word : words_) {
    if (word.sent) continue;
    if (now < word.due) return;
    const std::string topic =
        std::string(topic_start) + manner_.id + std::string(topic_middle) + word.command + "/reply";
    ModelPublish message;
    message.topic = topic;
    message.qos = manner_.answers;
    message.body = R"({"state":")" + Bytes{broker::name(word.state)} + R"(","result":1})";
    word.sent = client_.publish(message, now);
    if (!word.sent) return;  // Later: the window is full.
    CommandRecord said;
    said.state = word.state;
    add(CommandEvent::said, word.command, now, said);
  }
}

// ---- what it has seen --------------------------------------------------------------------------

void SimDevice::scan() {
  for (; scanned_ < seen_.records().size(); ++scanned_) {
    const Record& record = seen_.records()[scanned_];
    if (record.client == client_.options().number) on_record(record);
  }
}

void SimDevice::on_record(const Record& record) {
  switch (record.event) {
    case Event::connack:
      if (record.has(flag::present) || record.reason != 0) break;
      // Nobody knows any more what it had said: it says it again.
      granted_ = false;
      for (Word& word : words_) word.sent.reset();
      break;
    case Event::suback:
      granted_ = record.reason <= 2;
      if (!granted_) asked_ = false;
      break;
    case Event::received: on_command(record); break;
    case Event::pubrec:
      if (record.reason < 0x80) break;
      [[fallthrough]];
    case Event::puback:
    case Event::pubcomp: {
      const auto word = std::find_if(words_.begin(), words_.end(),
                                     [&](const Word& each) { return each.sent == record.message; });
      if (word == words_.end()) break;
      if (record.reason >= 0x80) {
        word->sent.reset();  // Not taken: it will try again.
        break;
      }
      CommandRecord taken;
      taken.state = word->state;
      add(CommandEvent::taken, word->command, record.at, taken);
      words_.erase(word);
      break;
    }
    default: break;
  }
}

void SimDevice::on_command(const Record& record) {
  if (record.has(flag::again)) return;
  const std::string command = command_of(seen_.text(record.text));
  CommandRecord received;
  const std::uint64_t wanted = sums_[command];
  received.number = wanted == 0 || wanted == record.number ? 0 : 1;
  add(CommandEvent::received, command, record.at, received);
  const bool known = std::any_of(words_.begin(), words_.end(),
                                 [&](const Word& word) { return word.command == command; });
  if (known || manner_.last_word == CommandState::queued) return;
  const Instant soon = record.at + Millis{static_cast<std::int64_t>(rng_.below(300))};
  const Instant later = soon + Millis{static_cast<std::int64_t>(rng_.below(2'000))};
  if (rng_.chance(0.2)) words_.push_back({command, CommandState::accepted, soon, {}});
  if (rng_.chance(0.7)) words_.push_back({command, CommandState::running, soon, {}});
  words_.push_back({command, manner_.last_word, later, {}});
}

// ---- the end -----------------------------------------------------------------------------------

void SimDevice::calm() {
  calm_ = true;
  awake_ = true;
}

bool SimDevice::is_settled() const { return is_ready() && client_.is_idle() && words_.empty(); }

}  // namespace naru::test
