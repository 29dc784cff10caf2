// tools/naru/bench_clients.cpp
#include "tools/naru/bench_clients.hpp"

#include <algorithm>

namespace naru::tools {

BenchClient::BenchClient(BenchContext context, ClientSettings settings)
    : context_(context), connection_(context.loop, *this, std::move(settings)) {}

void BenchClient::leave() {
  leaving_ = true;
  if (connection_.core().online()) {
    connection_.finish();
  } else {
    connection_.close();
  }
}

void BenchClient::on_event(const ClientEvent& event) {
  switch (event.kind) {
    case ClientEvent::Kind::online:
      ++context_.board.online;
      on_online();
      break;
    case ClientEvent::Kind::message: on_message(event.message); break;
    case ClientEvent::Kind::acknowledged: on_settled(event); break;
    case ClientEvent::Kind::subscribed:
      ++context_.board.subscribed;
      if (std::ranges::any_of(event.codes, mqtt::is_failure)) fail("a subscription was refused");
      break;
    case ClientEvent::Kind::refused:
    case ClientEvent::Kind::failed: fail(event.text); break;
  }
}

void BenchClient::on_down(const std::string& reason) {
  if (leaving_) {
    --context_.board.online;
    leaving_ = false;
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
      topic_(context.plan.prefix + "/" + std::to_string(number)),
      payload_(context.plan.payload_size, 'x') {}

void BenchPublisher::publish(std::uint64_t most) {
  BenchBoard& board = context_.board;
  const bool acknowledged = context_.plan.qos != mqtt::Qos::at_most_once;
  for (; most > 0 && board.budget > 0 && under_way_ < context_.plan.window; --most) {
    --board.budget;
    ++board.published;
    ++under_way_;
    const Instant now = context_.loop.now();
    write_mark(payload_, {.publisher = number_, .number = ++published_, .at = now});
    connection_.core().publish({.topic = topic_,
                                .payload = payload_,
                                .qos = context_.plan.qos,
                                .tag = static_cast<std::uint64_t>(now.since_start.count())});
    if (!acknowledged) ++board.settled;
  }
  connection_.flush_later();
}

void BenchPublisher::on_settled(const ClientEvent& event) {
  BenchBoard& board = context_.board;
  ++board.settled;
  if (mqtt::is_failure(event.reason)) ++board.refused;
  board.last_event = context_.loop.now();
  board.acknowledgement.add(context_.loop.now() -
                            Instant{Duration{static_cast<std::int64_t>(event.tag)}});
  if (!context_.plan.paced_by_delivery) make_room();
}

void BenchPublisher::on_delivered() {
  if (under_way_ > 0) make_room();
}

void BenchPublisher::make_room() {
  --under_way_;
  if (context_.plan.rate == 0) publish(1);
}

BenchSubscriber::BenchSubscriber(BenchContext context, ClientSettings settings, std::string filter)
    : BenchClient(context, std::move(settings)),
      filter_(std::move(filter)),
      checker_(context.plan.publishers) {}

void BenchSubscriber::on_online() {
  mqtt::SubscribeEntry entry;
  entry.filter = filter_;
  entry.qos = context_.plan.qos;
  connection_.core().subscribe({&entry, 1});
}

void BenchSubscriber::on_message(const mqtt::Publish& message) {
  BenchBoard& board = context_.board;
  const std::optional<Mark> mark = read_mark(message.payload);
  checker_.on_message(mark);
  ++board.received;
  board.last_event = context_.loop.now();
  if (!mark) return;
  board.delivery.add(context_.loop.now() - mark->at);
  if (mark->publisher < credited_.size()) credited_[mark->publisher]->on_delivered();
}

}  // namespace naru::tools
