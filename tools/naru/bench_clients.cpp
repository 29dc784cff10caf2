// tools/naru/bench_clients.cpp
#include "tools/naru/bench_clients.hpp"

#include <algorithm>

namespace naru::tools {

BenchClient::BenchClient(BenchContext context, ClientSettings settings)
    : context_(context), connection_(context.loop, *this, std::move(settings)) {}

void BenchClient::open() {
  opened_at_ = context_.loop.now();
  connection_.open();
}

void BenchClient::leave() {
  leaving_ = true;
  if (connection_.core().online()) {
    connection_.finish();
  } else {
    connection_.close();
  }
}

void BenchClient::vanish() {
  connection_.close();
  if (std::exchange(counted_, false)) --context_.board.online;
}

void BenchClient::on_event(const ClientEvent& event) {
  context_.board.answered = true;
  switch (event.kind) {
    case ClientEvent::Kind::online:
      ++context_.board.online;
      counted_ = true;
      if (connection_.is_resumed()) ++context_.board.resumed;
      context_.board.last_event = context_.loop.now();
      context_.board.connecting.add(context_.loop.now() - opened_at_);
      on_online();
      break;
    case ClientEvent::Kind::message: on_message(event.message); break;
    case ClientEvent::Kind::acknowledged: on_settled(event); break;
    case ClientEvent::Kind::subscribed:
      ++context_.board.subscribed;
      context_.board.last_event = context_.loop.now();
      if (std::ranges::any_of(event.codes, mqtt::is_failure)) fail("a subscription was refused");
      on_subscribed();
      break;
    case ClientEvent::Kind::unsubscribed:
      ++context_.board.changes;
      if (std::ranges::any_of(
              event.codes, [](mqtt::ReasonCode code) { return code != mqtt::ReasonCode::success; }))
        fail("a subscription could not be ended");
      break;
    case ClientEvent::Kind::refused:
    case ClientEvent::Kind::failed: fail(event.text); break;
  }
}

void BenchClient::on_down(const std::string& reason) {
  const bool was_online = std::exchange(counted_, false);
  if (std::exchange(leaving_, false)) {
    if (was_online) --context_.board.online;
  } else if (was_online && context_.plan.scenario == BenchPlan::Scenario::idle) {
    ++context_.board.dropped;  // To be counted is what they are there for.
  } else {
    fail(reason);
  }
}

void BenchClient::fail(const std::string& reason) {
  if (context_.board.failure.empty()) {
    context_.board.failure = connection_.core().settings().client_id + ": " + reason;
  }
  context_.loop.stop();
}

BenchPublisher::BenchPublisher(BenchContext context, ClientSettings settings, std::uint32_t number)
    : BenchClient(context, std::move(settings)),
      number_(number),
      topic_(topic_of(context.plan, number, 1)),
      payload_(context.plan.payload_size, 'x') {}

void BenchPublisher::publish(std::uint64_t most) {
  BenchBoard& board = context_.board;
  for (; most > 0 && board.budget > 0 && under_way_ < context_.plan.window; --most) {
    publish_one(context_.loop.now());
  }
  connection_.flush_later();
}

void BenchPublisher::publish_late(Instant intended) {
  context_.board.lateness.add(context_.loop.now() - intended);
  publish_one(intended);
  connection_.flush_later();
}

void BenchPublisher::publish_one(Instant at) {
  BenchBoard& board = context_.board;
  --board.budget;
  ++board.published;
  ++under_way_;
  write_mark(payload_, {.publisher = number_, .number = ++published_, .at = at});
  if (context_.plan.has_topic_per_message()) {
    topic_ = topic_of(context_.plan, number_, published_);
  }
  connection_.core().publish({.topic = topic_,
                              .payload = payload_,
                              .qos = context_.plan.qos,
                              .retain = context_.plan.scenario == BenchPlan::Scenario::retained,
                              .tag = static_cast<std::uint64_t>(at.since_start.count())});
  if (context_.plan.qos == mqtt::Qos::at_most_once) ++board.settled;
}

void BenchPublisher::clear(std::uint64_t number) {
  ++context_.board.published;
  const std::string topic = topic_of(context_.plan, number_, number);
  connection_.core().publish({.topic = topic, .payload = {}, .retain = true});
  connection_.flush_later();
}

void BenchPublisher::on_settled(const ClientEvent& event) {
  BenchBoard& board = context_.board;
  ++board.settled;
  if (mqtt::is_failure(event.reason)) {
    ++board.refused;
    ++refused_;
  }
  board.last_event = context_.loop.now();
  if (event.tag != 0) {
    board.acknowledgement.add(context_.loop.now() -
                              Instant{Duration{static_cast<std::int64_t>(event.tag)}});
  }
  if (!context_.plan.paced_by_delivery) make_room();
}

void BenchPublisher::on_delivered() {
  if (under_way_ > 0) make_room();
}

void BenchPublisher::make_room() {
  if (under_way_ > 0) --under_way_;
  if (context_.plan.rate == 0) publish(1);
}

BenchSubscriber::BenchSubscriber(BenchContext context, ClientSettings settings, std::size_t number)
    : BenchClient(context, std::move(settings)),
      number_(number),
      checker_(context.plan.publishers) {}

void BenchSubscriber::on_online() {
  if (subscribes_) subscribe();
  // In a storm the session has its filter already, and what it missed comes by itself.
  if (context_.plan.scenario == BenchPlan::Scenario::storm) subscribes_ = false;
}

void BenchSubscriber::subscribe() {
  subscribed_at_ = last_at_ = context_.loop.now();
  std::vector<std::string> filters = other_filters_of(context_.plan, number_);
  filters.push_back(filter_of(context_.plan, number_));
  std::vector<mqtt::SubscribeEntry> entries;
  for (const std::string& filter : filters) {
    mqtt::SubscribeEntry entry;
    entry.filter = filter;
    entry.qos = context_.plan.qos;
    entries.push_back(entry);
  }
  connection_.core().subscribe(entries);
  connection_.flush_later();
}

void BenchSubscriber::change() {
  under_change_ = true;
  const std::string filter = other_filter_of(context_.plan, number_, next_change_);
  next_change_ = (next_change_ + 1) % context_.plan.filters;
  connection_.core().unsubscribe(filter);
  mqtt::SubscribeEntry entry;
  entry.filter = filter;
  entry.qos = context_.plan.qos;
  connection_.core().subscribe(std::span{&entry, 1});
  connection_.flush_later();
}

void BenchSubscriber::on_subscribed() {
  if (!under_change_) return;
  ++context_.board.changes;
  under_change_ = false;
  if (context_.board.changing) change();
}

void BenchSubscriber::on_message(const mqtt::Publish& message) {
  BenchBoard& board = context_.board;
  const std::optional<Mark> mark = read_mark(message.payload);
  const std::uint64_t repeated_before = checker_.counts().duplicates;
  checker_.on_message(mark);
  board.repeated += checker_.counts().duplicates - repeated_before;
  ++board.received;
  board.last_event = last_at_ = context_.loop.now();
  if (!mark) return;
  board.delivery.add(context_.loop.now() - mark->at);
  if (mark->publisher < credited_.size()) credited_[mark->publisher]->on_delivered();
}

}  // namespace naru::tools
