// tools/naru/vehicle.cpp
#include "tools/naru/vehicle.hpp"

#include <algorithm>
#include <utility>

#include "storage/base/byte_writer.hpp"
#include "storage/base/check.hpp"

namespace naru::tools {
namespace {

constexpr std::size_t backlog_max = 1000;
constexpr Duration first_pause = Millis{500};
constexpr Duration longest_pause = Seconds{30};

// A tag is the time of publishing; answers to commands have none.
constexpr std::uint64_t answer_tag = 0;

Bytes correlation_block(const Bytes& correlation) {
  Bytes block;
  if (correlation.empty()) return block;
  ByteWriter writer{block};
  writer.u8(mqtt::property::correlation_data);
  writer.block16(correlation);
  return block;
}

}  // namespace

Vehicle::Vehicle(Context context, ClientSettings settings, std::unique_ptr<SignalSource> source,
                 std::uint64_t number)
    : context_(context),
      connection_(context.loop, *this, std::move(settings)),
      source_(std::move(source)),
      random_(context.plan.seed * 1'000'003 + number),
      pause_(first_pause) {}

void Vehicle::start(Instant when) {
  next_connect_ = when;
  context_.loop.call_at(when, *this);
}

void Vehicle::leave() {
  NARU_CHECK(!sampling_);
  next_connect_ = Instant::never();
  if (connection_.core().online()) {
    connection_.finish();
  } else if (connection_.is_open()) {
    connection_.close();
  }
}

void Vehicle::on_event(const ClientEvent& event) {
  FleetCounters& counters = context_.counters;
  counters.answered = true;
  switch (event.kind) {
    case ClientEvent::Kind::online: on_online(event.session_present); break;
    case ClientEvent::Kind::acknowledged:
      --backlog_;
      if (event.tag == answer_tag) break;
      ++(mqtt::is_failure(event.reason) ? counters.refused : counters.acknowledged);
      if (mqtt::is_failure(event.reason)) counters.last_trouble = event.text;
      counters.latency.add(context_.loop.now() -
                           Instant{Duration{static_cast<std::int64_t>(event.tag)}});
      break;
    case ClientEvent::Kind::message:
      if (!context_.plan.answers) break;
      ++counters.commands;
      answers_.on_command(event.message, context_.loop.now());
      send_answers(context_.loop.now());
      break;
    case ClientEvent::Kind::subscribed:
      subscribed_ = std::ranges::none_of(event.codes, mqtt::is_failure);
      if (!subscribed_) counters.last_trouble = "a subscription to commands was refused";
      break;
    case ClientEvent::Kind::unsubscribed: break;
    case ClientEvent::Kind::refused:
    case ClientEvent::Kind::failed:
      connection_.close();
      on_down(event.text);
      break;
  }
}

void Vehicle::on_online(bool session_present) {
  FleetCounters& counters = context_.counters;
  ++counters.connected;
  if (next_sample_ == Instant::never()) {
    ++counters.ever_connected;
    // The fleet's messages spread over the interval instead of coming all at once.
    const double share = between(random_, 0, 1);
    const Duration phase{
        static_cast<std::int64_t>(share * static_cast<double>(context_.plan.interval.count()))};
    next_sample_ = context_.loop.now() + phase;
    context_.loop.call_at(next_sample_, *this);
  }
  online_ = true;
  pause_ = first_pause;
  if (!context_.plan.answers || (session_present && subscribed_)) return;
  const std::string filter =
      context_.plan.prefix + "/" + connection_.core().settings().client_id + "/commands/+";
  mqtt::SubscribeEntry entry;
  entry.filter = filter;
  entry.qos = mqtt::Qos::at_least_once;
  connection_.core().subscribe({&entry, 1});
}

void Vehicle::on_down(const std::string& reason) {
  FleetCounters& counters = context_.counters;
  const bool was_online = std::exchange(online_, false);
  if (was_online) --counters.connected;
  if (!sampling_ && backlog_ == 0) return;  // On leaving this is as it should be.
  ++(was_online ? counters.connections_lost : counters.connect_failures);
  counters.last_trouble = reason;
  // Up to half as long again, so that a fleet does not come back in one moment.
  const auto spread =
      static_cast<std::int64_t>(between(random_, 0, 0.5) * static_cast<double>(pause_.count()));
  next_connect_ = context_.loop.now() + pause_ + Duration{spread};
  pause_ = std::min(pause_ * 2, longest_pause);
  context_.loop.call_at(next_connect_, *this);
}

void Vehicle::on_timer(Instant now) {
  if (now >= next_connect_ && away()) {
    next_connect_ = Instant::never();
    connection_.open();
  }
  send_answers(now);
  if (!sampling_ || now < next_sample_) return;
  sample(now);
  next_sample_ = std::max(next_sample_ + context_.plan.interval, now);
  context_.loop.call_at(next_sample_, *this);
}

void Vehicle::sample(Instant now) {
  FleetCounters& counters = context_.counters;
  if (backlog_ >= backlog_max) {
    ++counters.skipped;
    return;
  }
  const std::string& id = connection_.core().settings().client_id;
  std::string payload = "{\"device\":\"" + id + "\",\"seq\":" + std::to_string(++sequence_) +
                        ",\"at\":" + std::to_string(SystemClock{}.wall());
  source_->append_next(payload);
  payload += '}';
  const std::string topic = context_.plan.prefix + "/" + id + "/telemetry";
  connection_.core().publish({.topic = topic,
                              .payload = payload,
                              .qos = context_.plan.qos,
                              .tag = static_cast<std::uint64_t>(now.since_start.count())});
  ++counters.published;
  if (context_.plan.qos != mqtt::Qos::at_most_once) ++backlog_;
  connection_.flush_later();
}

void Vehicle::send_answers(Instant now) {
  CommandAnswers::Answer answer;
  while (answers_.take_due(now, answer)) {
    const Bytes block = correlation_block(answer.correlation);
    connection_.core().publish(
        {.topic = answer.topic, .payload = answer.payload, .properties = block, .tag = answer_tag});
    ++backlog_;
    ++context_.counters.answers;
    connection_.flush_later();
  }
  // One timer at a time, however often this is asked.
  if (now >= answer_timer_) answer_timer_ = Instant::never();
  const Instant due = answers_.next_due();
  if (due >= answer_timer_) return;
  answer_timer_ = due;
  context_.loop.call_at(due, *this);
}

}  // namespace naru::tools
