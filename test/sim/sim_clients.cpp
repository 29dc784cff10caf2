#include "test/sim/sim_clients.hpp"

#include <algorithm>
#include <array>

namespace naru::test {

using mqtt::Qos, mqtt::Version;
using State = ModelClient::State;

namespace {
constexpr std::uint32_t forever = 0xffffffff;
}  // namespace

SimClients::SimClients(std::size_t count, const Weather& weather, History& history, Rng rng)
    : weather_(weather), history_(history), rng_(rng), network_(1, weather, rng_) {
  static constexpr std::array kinds = {Kind::publisher, Kind::awake,   Kind::clean_publisher,
                                       Kind::sleeper,   Kind::mourner, Kind::both,
                                       Kind::publisher, Kind::slow,    Kind::watcher,
                                       Kind::brief,     Kind::twin,    Kind::twin};
  for (std::size_t i = 0; i < count; ++i) add(kinds[i % kinds.size()], i);
}

ModelOptions SimClients::options_of(Kind kind, std::size_t number) {
  ModelOptions options;
  options.number = static_cast<std::uint32_t>(number + 1);
  options.client_id = "client-" + std::to_string(number);
  const bool clean = kind == Kind::clean_publisher || kind == Kind::watcher || kind == Kind::twin ||
                     kind == Kind::reader;
  options.version = number % 3 == 0 && kind != Kind::brief ? Version::v3_1_1 : Version::v5;
  options.clean_start = clean;
  options.session_expiry = clean ? 0 : forever;
  if (kind == Kind::brief) options.session_expiry = 3;
  if (kind == Kind::twin) options.client_id = "twin-" + std::to_string(number / 12);
  if (kind == Kind::slow) {
    options.receive_maximum = 3;
    options.ack_delay = Millis{40};
  }
  if (number % 7 == 0) options.keep_alive = 5;
  if (kind == Kind::mourner) {
    ModelWill will;
    will.topic = "wills/" + options.client_id;
    will.qos = number % 2 == 0 ? Qos::at_least_once : Qos::exactly_once;
    will.retain = number % 4 == 0;
    if (options.version == Version::v5 && number % 5 == 0) will.delay = 2;
    options.will = will;
    options.clean_start = number % 8 == 4;
    if (options.clean_start) options.session_expiry = 0;
  }
  return options;
}

void SimClients::add(Kind kind, std::size_t number) {
  actors_.push_back(std::make_unique<Actor>(options_of(kind, number), history_));
  Actor& actor = *actors_.back();
  actor.kind = kind;
  network_.add(actor.client, kind == Kind::slow);
  actor.qos = number % 2 == 0 ? Qos::exactly_once : Qos::at_least_once;
  switch (kind) {
    case Kind::awake:
    case Kind::sleeper: actor.filters = {"load/#", "state/#", "wills/#"}; break;
    case Kind::slow: actor.filters = {"load/+/1", "wills/#"}; break;
    case Kind::watcher: actor.filters = {"load/+/2", "state/+/0", "wills/#"}; break;
    case Kind::twin: actor.filters = {"load/+/1"}; break;
    case Kind::brief: actor.filters = {"load/+/0", "load/+/1"}; break;
    case Kind::both: actor.filters = {"load/+/0", "both/#", "state/+/+"}; break;
    case Kind::reader: actor.filters = {"#"}; break;
    default: break;
  }
}

void SimClients::open(std::size_t index, SimNode& node, Instant now) {
  Actor& actor = *actors_[index];
  ++actor.connection;
  if (actor.client.options().version == Version::v5 && actor.client.is_persistent()) {
    actor.client.set_clean_start(!calm_ && rng_.chance(weather_.clean_start));
  }
  network_.open(index, node, now);
}

void SimClients::on_broker_dead(Instant now) {
  network_.on_broker_dead(now);
  scan();
}

// ---- what clients do ---------------------------------------------------------------------------

void SimClients::scan() {
  const auto& records = history_.records();
  for (; scanned_ < records.size(); ++scanned_) {
    const Record& record = records[scanned_];
    if (record.client == 0 || record.client > actors_.size()) continue;
    Actor& actor = *actors_[record.client - 1];
    if (record.event == Event::connack && !record.has(flag::present)) actor.granted.clear();
    if (record.event == Event::suback && record.reason <= 2) actor.granted.insert(record.text);
    if (record.event == Event::suback && record.reason > 2) actor.asked_on = 0;
    if (record.event == Event::unsubscribe_sent) actor.granted.erase(record.text);
  }
}

void SimClients::publish(Actor& actor, Instant now) {
  const bool both = actor.kind == Kind::both;
  const bool retained = rng_.chance(weather_.retain);
  const std::string who = std::to_string(actor.client.options().number);
  const std::string branch = both ? "both/" : retained ? "state/" : "load/";
  const std::string topic = branch + who + '/' + std::to_string(rng_.below(retained ? 2 : 3));
  ModelPublish message;
  message.topic = topic;
  message.qos = static_cast<Qos>(rng_.chance(0.1) ? 0 : 1 + rng_.below(2));
  message.retain = retained && !both;
  message.clear = message.retain && rng_.chance(0.2);
  message.size = rng_.below(rng_.chance(0.05) ? 3'000 : 100);
  if (actor.client.options().version == Version::v5 && !message.clear && rng_.chance(0.05)) {
    message.expiry = static_cast<std::uint32_t>(1 + rng_.below(3));
  }
  actor.client.publish(message, now);
}

void SimClients::act_online(Actor& actor, Instant now) {
  if (actor.asked_on != actor.connection) {
    actor.asked_on = actor.connection;
    for (const std::string& filter : actor.filters) {
      if (actor.granted.contains(history_.intern(filter))) continue;
      actor.client.subscribe({filter, actor.qos, actor.kind == Kind::both}, now);
    }
  }
  if (calm_) return;
  const bool publishes = actor.kind == Kind::publisher || actor.kind == Kind::clean_publisher ||
                         actor.kind == Kind::both || actor.kind == Kind::twin;
  if (publishes && rng_.chance(weather_.publish)) publish(actor, now);
  if (actor.kind == Kind::both && rng_.chance(weather_.unsubscribe)) {
    actor.client.unsubscribe(actor.filters[rng_.below(actor.filters.size())], now);
    if (rng_.chance(0.8)) actor.asked_on = 0;  // And asks for it again.
  }
  if (rng_.chance(weather_.leave)) actor.client.disconnect(now);
}

void SimClients::act(std::size_t index, SimNode* node, Instant now) {
  Actor& actor = *actors_[index];
  const State state = actor.client.state();
  if (state == State::closed) {
    if (actor.kind == Kind::sleeper && !calm_ && rng_.chance(0.002)) actor.awake = !actor.awake;
    const bool comes = actor.awake && !actor.gone && node != nullptr;
    const double wake = actor.kind == Kind::brief ? weather_.wake / 50 : weather_.wake;
    if (comes && rng_.chance(calm_ ? 0.5 : wake)) open(index, *node, now);
    return;
  }
  actor.client.on_time(now);
  if (state == State::online) act_online(actor, now);
  if (calm_) return;
  if (actor.kind == Kind::sleeper && rng_.chance(0.002)) actor.awake = false;
  if (!actor.awake) actor.client.disconnect(now);
  const double factor = actor.kind == Kind::mourner || actor.kind == Kind::twin ? 4 : 1;
  if (rng_.chance(weather_.cut * factor)) network_.cut(index, now);
}

void SimClients::step(SimNode* node, Instant now) {
  scan();
  for (std::size_t i = 0; i < actors_.size(); ++i) act(i, node, now);
  if (node != nullptr) network_.step(*node, now);
}

// ---- the end -----------------------------------------------------------------------------------

void SimClients::calm() {
  calm_ = true;
  network_.calm();
  for (auto& actor : actors_) {
    actor->awake = true;
    // Two of one id cannot both be connected: one of them stays away.
    const bool second = actor->kind == Kind::twin && actor->client.options().number % 2 == 0;
    if (!second) continue;
    actor->gone = true;
    actor->client.disconnect(Instant{});
  }
}

bool SimClients::is_settled(const Actor& actor) const {
  if (actor.gone) return actor.client.state() == State::closed;
  return actor.client.state() == State::online && actor.client.is_idle() &&
         actor.asked_on == actor.connection;
}

std::string SimClients::unsettled() const {
  std::string who;
  for (const auto& actor : actors_) {
    if (is_settled(*actor)) continue;
    who += ' ' + actor->client.options().client_id + " (" +
           std::to_string(static_cast<int>(actor->client.state())) + ", " +
           std::to_string(actor->client.unacknowledged()) + " in flight)";
  }
  return who;
}

void SimClients::add_reader() { add(Kind::reader, actors_.size()); }

void SimClients::note_drained(Instant now) {
  for (const auto& actor : actors_) {
    if (!actor->gone) actor->client.note(Event::drained, now);
  }
}

void SimClients::note_retained_read(Instant now) {
  for (const auto& actor : actors_) {
    if (actor->kind == Kind::reader) actor->client.note(Event::retained_read, now);
  }
}

}  // namespace naru::test
