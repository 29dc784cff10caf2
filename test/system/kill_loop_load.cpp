#include "test/system/kill_loop_load.hpp"

#include <algorithm>

#include "test/support/checkers.hpp"

namespace naru::test {

using mqtt::Qos, mqtt::Version;
using State = ModelClient::State;

namespace {

constexpr std::uint32_t forever = 0xffffffff;
constexpr Millis quiet_time{300};                  // No record in this time: nothing is on its way.
constexpr Duration late_limit = Seconds{3};        // For what is still on its way.
constexpr Duration late_will_limit = Seconds{20};  // The broker sends wills after a grace.

}  // namespace

Load::Load(LoadOptions options, ClientNetwork& network, History& history)
    : options_(options), network_(network), history_(history), random_(options.seed) {
  for (std::size_t i = 0; i < options.publishers; ++i) add_publisher(i);
  for (std::size_t i = 0; i < options.sessions; ++i)
    add_subscriber(i, std::array{Kind::awake, Kind::sleeper, Kind::slow}[i % 3]);
  add_subscriber(options.sessions, Kind::watcher);
}

void Load::add_publisher(std::size_t number) {
  ModelOptions client;
  client.client_id = "publisher-" + std::to_string(number);
  client.version = number / 4 % 2 == 0 ? Version::v5 : Version::v3_1_1;
  client.clean_start = number / 2 % 2 == 1;
  client.session_expiry = client.clean_start ? 0 : forever;
  publishers_.push_back(network_.add(client));
}

void Load::add_subscriber(std::size_t number, Kind kind) {
  ModelOptions client;
  client.client_id = "subscriber-" + std::to_string(number);
  client.version = number % 2 == 0 ? Version::v5 : Version::v3_1_1;
  client.clean_start = kind == Kind::watcher;
  client.session_expiry = client.clean_start ? 0 : forever;
  client.receive_maximum = kind == Kind::slow ? 10 : 100;
  if (kind == Kind::slow) client.ack_delay = Millis{1};
  Subscriber subscriber{network_.add(client), kind, Qos::exactly_once, {}, {}};
  subscriber.filters = {"load/#", "state/#", "wills/#"};
  if (number % 2 == 1) {
    subscriber.qos = Qos::at_least_once;
    subscriber.filters = {"load/+/1", "load/+/2", "state/+/0", "wills/#"};
  }
  subscriber_of_[network_.client(subscriber.client).options().number] = subscribers_.size();
  subscribers_.push_back(std::move(subscriber));
}

void Load::add_mourner(std::size_t number) {
  ModelOptions client;
  client.client_id = "mourner-" + std::to_string(network_.size());
  client.version = number % 2 == 0 ? Version::v3_1_1 : Version::v5;
  client.clean_start = true;
  ModelWill will;
  will.topic = "wills/" + client.client_id;
  will.qos = random(2) == 0 ? Qos::at_least_once : Qos::exactly_once;
  client.will = will;
  mourners_.push_back(network_.add(client));
  network_.open(mourners_.back());
}

// --- what happens in each turn ---------------------------------------------------------------

void Load::tend_subscriber(Subscriber& subscriber) {
  ModelClient& client = network_.client(subscriber.client);
  if (client.state() == State::closed && subscriber.awake) {
    network_.open(subscriber.client);
    subscriber.asked_on = 0;
  } else if (client.state() == State::online && !subscriber.awake) {
    client.disconnect(network_.now());
  } else if (client.state() == State::online && subscriber.asked_on == 0) {
    subscriber.asked_on = ++openings_;
    for (const std::string& filter : subscriber.filters)
      if (subscriber.granted.count(history_.intern(filter)) == 0)
        client.subscribe({filter, subscriber.qos}, network_.now());
  }
}

void Load::tend() {
  for (Subscriber& subscriber : subscribers_) tend_subscriber(subscriber);
  for (const std::size_t publisher : publishers_)
    if (network_.client(publisher).state() == State::closed) network_.open(publisher);
}

void Load::publish(std::size_t index) {
  ModelClient& client = network_.client(index);
  while (client.has_room()) {
    const std::uint64_t kind = random(100);
    const std::string branch = kind < 10 ? "state/" : "load/";
    const std::string topic =
        branch + std::to_string(index) + '/' + std::to_string(random(kind < 10 ? 2 : 3));
    ModelPublish message;
    message.topic = topic;
    message.qos = index % 2 == 0 ? Qos::at_least_once : Qos::exactly_once;
    message.retain = kind < 10;
    message.clear = kind < 2;
    message.size = random(300);
    client.publish(message, network_.now());
  }
}

// Now and then a client vanishes, with half a packet on its way as often as not.
void Load::disturb() {
  if (random(400) != 0) return;
  const std::uint64_t who = random(publishers_.size() + subscribers_.size());
  network_.vanish(who < publishers_.size() ? publishers_[who]
                                           : subscribers_[who - publishers_.size()].client);
}

void Load::settle_mourners() {
  if (mourners_.size() < 2) return;
  if (network_.client(mourners_[0]).state() == State::online) network_.vanish(mourners_[0]);
  network_.client(mourners_[1]).disconnect(network_.now());
}

void Load::scan_subscriber(const Record& record) {
  const auto found = subscriber_of_.find(record.client);
  if (found == subscriber_of_.end()) return;
  Subscriber& subscriber = subscribers_[found->second];
  if (record.event == Event::connack && !record.has(flag::present)) subscriber.granted.clear();
  if (record.event == Event::suback && record.reason <= 2) subscriber.granted.insert(record.text);
}

void Load::scan() {
  const auto& records = history_.records();
  for (; scanned_ < records.size(); ++scanned_) {
    const Record& record = records[scanned_];
    scan_subscriber(record);
    if (record.event == Event::puback || record.event == Event::pubcomp) ++count_.acked;
    if (record.event != Event::received) continue;
    ++(record.has(flag::dup | flag::again) ? count_.repeated : count_.delivered);
    if (marker_.counter != 0 && record.message == marker_) marked_.insert(record.client);
  }
}

template <class Condition>
bool Load::step_until(Condition&& done) {
  Instant last_progress = network_.now();
  std::size_t seen = 0;
  while (!done()) {
    tend();
    network_.step(Millis{20});
    scan();
    // Attempts are no progress: clients can go on trying for ever.
    if (count_.acked + count_.delivered != seen) last_progress = network_.now();
    seen = count_.acked + count_.delivered;
    if (network_.now() - last_progress > stall_limit) return false;
  }
  return true;
}

// --- a round ---------------------------------------------------------------------------------

bool Load::settle() {
  return step_until([this] {
    return std::all_of(subscribers_.begin(), subscribers_.end(), [this](const Subscriber& each) {
      const bool online = network_.client(each.client).state() == State::online;
      return !each.awake || (online && each.granted.size() == each.filters.size());
    });
  });
}

void Load::begin_round() {
  count_ = {};
  mourners_.clear();
  for (std::size_t i = 0; i < 3; ++i) add_mourner(i);
  for (Subscriber& subscriber : subscribers_)
    if (subscriber.kind == Kind::sleeper && subscriber.granted.size() == subscriber.filters.size())
      subscriber.awake = random(3) == 0;
}

bool Load::run(std::size_t acknowledgements) {
  bool settled = false;
  return step_until([&] {
    for (const std::size_t publisher : publishers_) publish(publisher);
    disturb();
    if (!settled && count_.acked * 2 >= acknowledgements) {
      settle_mourners();
      settled = true;
    }
    return count_.acked >= acknowledgements;
  });
}

void Load::on_broker_dead() {
  network_.on_broker_dead();
  for (const std::size_t mourner : mourners_) network_.client(mourner).retire(network_.now());
  scan();
}

// --- the end ---------------------------------------------------------------------------------

// Nothing is missing that this checker would call lost.
bool Load::all_arrived(Violations (*check)(const Timeline&)) {
  History so_far = history_;
  for (std::size_t i = 0; i < network_.size(); ++i) {
    Record record;
    record.at = network_.now();
    record.event = Event::drained;
    record.client = network_.client(i).options().number;
    so_far.add(record);
  }
  const Timeline run{so_far};
  return check(run).empty();
}

bool Load::drain() {
  for (Subscriber& subscriber : subscribers_) subscriber.awake = true;
  const bool finished =
      settle() && step_until([this] {
        return std::all_of(publishers_.begin(), publishers_.end(), [this](std::size_t each) {
          const ModelClient& client = network_.client(each);
          return client.state() == State::online && client.is_idle();
        });
      });
  // What was queued before the closing message has arrived before it.
  ModelPublish closing;
  closing.topic = "load/end/1";
  marker_ = network_.client(publishers_[0]).publish(closing, network_.now()).value_or(MessageId{});
  const bool marked =
      finished && step_until([this] { return marked_.size() == subscribers_.size(); });
  const Instant began = network_.now();
  const auto waits = [&](Duration limit, Violations (*check)(const Timeline&)) {
    return network_.now() - began < limit && !all_arrived(check);
  };
  std::size_t seen = 0;
  while (seen != history_.records().size() || waits(late_limit, check_acked_delivery) ||
         waits(late_will_limit, check_wills)) {
    seen = history_.records().size();
    const Instant pause = network_.now() + quiet_time;
    while (network_.now() < pause) network_.step(quiet_time);
    scan();
  }
  for (const std::size_t each : publishers_)
    network_.client(each).note(Event::drained, network_.now());
  for (const Subscriber& each : subscribers_)
    network_.client(each.client).note(Event::drained, network_.now());
  return marked;
}

bool Load::read_retained() {
  ModelOptions options;
  options.client_id = "reader";
  options.clean_start = true;
  const std::size_t reader = network_.add(options);
  ModelClient& client = network_.client(reader);
  network_.open(reader);
  if (!step_until([&] { return client.state() == State::online; })) return false;
  client.subscribe({"#", Qos::at_least_once}, network_.now());
  if (!step_until([&] { return client.is_idle(); })) return false;
  for (std::size_t seen = 0; seen != history_.records().size();) {
    seen = history_.records().size();
    const Instant pause = network_.now() + quiet_time;
    while (network_.now() < pause) network_.step(quiet_time);
  }
  client.note(Event::retained_read, network_.now());
  return true;
}

}  // namespace naru::test
