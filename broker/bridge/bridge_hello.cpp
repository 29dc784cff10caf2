// BridgeCore's part that begins connections: CONNECT, subscriptions, and what it tells of itself.

#include <algorithm>

#include "broker/bridge/bridge_core.hpp"
#include "broker/mqtt/bridge_path.hpp"
#include "broker/mqtt/encoder.hpp"

namespace naru::broker {

using mqtt::ReasonCode;
using mqtt::Version;

namespace {

constexpr std::uint32_t never_expires = 0xffffffff;
constexpr std::uint16_t window = 1000;  // Publishes under way in one direction.
// Our subscriptions have ids that no queue of ours gives to a publish.
constexpr mqtt::PacketId first_subscribe_id = 65'535;
constexpr std::size_t subscribe_ids = 16'384;

bool is_version_refused(const mqtt::Connack& connack) {
  return connack.reason == ReasonCode::unsupported_protocol_version;
}

BytesView words_of(Greeting greeting) {
  if (greeting.version == Version::v5) return "MQTT 5";
  if (greeting.version == Version::v3_1)
    return greeting.as_bridge ? "MQTT 3.1, bridge" : "MQTT 3.1";
  return greeting.as_bridge ? "MQTT 3.1.1, bridge" : "MQTT 3.1.1";
}

}  // namespace

void BridgeCore::on_open(Side side, Instant now) {
  if (wished(side) == 0) return;
  if (side == Side::local) return greet_local();
  state_ = State::greeting;
  due_ = now + Seconds{30};
  heard_ = said_ = now;
  greet_remote();
}

void BridgeCore::greet_remote() {
  const bool tells = settings_.notifications && !settings_.notifications_local;
  mqtt::Connect connect;
  connect.version = greeting().version;
  connect.bridge = greeting().as_bridge;
  connect.clean_start = settings_.clean_session;
  connect.keep_alive = settings_.keep_alive_s;
  connect.client_id = settings_.remote_client_id;
  if (tells) {
    mqtt::Will& will = connect.will.emplace();
    will.topic = settings_.notification_topic;
    will.payload = "0";
    will.qos = mqtt::Qos::at_least_once;
    will.retain = true;
  }
  if (settings_.remote_user) connect.username = BytesView{*settings_.remote_user};
  if (settings_.remote_password) connect.password = BytesView{*settings_.remote_password};
  Bytes properties;
  if (connect.version == Version::v5) {
    connect.session_expiry_interval = settings_.clean_session ? 0 : never_expires;
    connect.receive_maximum = window;
    connect.maximum_packet_size = settings_.local_packet_size_max;
    mqtt::append_user_property(properties, mqtt::bridge_property, settings_.node);
    connect.user_properties = mqtt::UserProperties{properties};
  }
  mqtt::encode(connect, output(Side::remote));
}

void BridgeCore::greet_local() {
  mqtt::Connect connect;
  connect.clean_start = settings_.local_clean_session;
  connect.client_id = settings_.local_client_id;
  connect.session_expiry_interval = settings_.local_clean_session ? 0 : never_expires;
  // Nothing crosses before the remote broker is there.
  const bool prepares = state_ == State::preparing;
  connect.receive_maximum = prepares ? std::uint16_t{1} : std::min(window, remote_window_);
  mqtt::encode(connect, output(Side::local));
}

Bytes BridgeCore::on_connack(Side side, const mqtt::Frame& frame, Instant now) {
  const Version version = side == Side::local ? Version::v5 : greeting().version;
  mqtt::Connack connack;
  if (mqtt::decode_connack(frame, version, connack) != mqtt::DecodeError::none) {
    return "it sent a malformed CONNACK";
  }
  if (connack.reason != ReasonCode::success && !is_version_refused(connack)) {
    // It understood us: another way to say hello would not help.
    Bytes why = "it refused the connection: ";
    why.append(mqtt::name(connack.reason));
    if (!connack.reason_string.empty()) why.append(": ").append(connack.reason_string);
    leave(why, now);
    return {};
  }
  if (is_version_refused(connack)) return "it does not speak this version of MQTT";
  connected_[place(side)] = true;
  relay_.begin(side, version, connack);
  if (side == Side::remote) return on_remote_connack(connack, now);
  subscribe(Side::local, connack.session_present);
  on_local_connack(now);
  return {};
}

Bytes BridgeCore::on_remote_connack(const mqtt::Connack& connack, Instant now) {
  keep_alive_s_ = connack.server_keep_alive.value_or(settings_.keep_alive_s);
  remote_window_ = connack.receive_maximum;
  state_ = State::joining;
  subscribe(Side::remote, connack.session_present);
  wish(Side::local, now);
  return {};
}

void BridgeCore::on_local_connack(Instant now) {
  if (state_ == State::preparing) {
    notify(Side::local, false);
    if (unanswered_subscribes_ == 0) finish_preparing(now);
    return;
  }
  state_ = State::relaying;
  due_ = Instant::never();
  heard_ = now;
  back_off_.reset();
  last_reason_.clear();
  if (settings_.addresses > 1 && !settings_.round_robin && address_ != 0) {
    probe_due_ = now + Seconds{10};
  }
  relay_.begin_relaying();
  for (const Side side : {Side::local, Side::remote}) notify(side, true);
  report(BridgeEvent::Kind::up, Bytes{words_of(greeting())});
}

void BridgeCore::finish_preparing(Instant now) {
  prepared_ = true;
  mqtt::encode(mqtt::Disconnect{}, Version::v5, output(Side::local));
  wished_[place(Side::local)] = 0;
  connected_[place(Side::local)] = false;
  dial(now);
}

// One packet for each filter: some brokers take only a few in one.
void BridgeCore::subscribe(Side side, bool session_present) {
  const Version version = relay_.version(side);
  const bool clean = side == Side::local ? settings_.local_clean_session : settings_.clean_session;
  std::size_t number = 0;
  const auto next_id = [&] {
    return static_cast<mqtt::PacketId>(first_subscribe_id - number++ % subscribe_ids);
  };
  std::vector<Bytes> wanted;
  for (const TopicRule& rule : settings_.topics) {
    if (!rule.leads_from(side)) continue;
    mqtt::SubscribeEntry entry;
    const Bytes& filter = wanted.emplace_back(rule.filter(side));
    entry.filter = filter;
    entry.qos = rule.qos;
    entry.no_local = entry.retain_as_published = version == Version::v5;
    // What is retained comes once; again where what is published meanwhile is not kept for us.
    const bool kept = !clean && rule.qos != mqtt::Qos::at_most_once;
    entry.retain_handling = version == Version::v5 && kept ? 1 : 0;
    Bytes raw;
    mqtt::append_entry(raw, entry);
    mqtt::Subscribe packet;
    packet.packet_id = next_id();
    packet.entries = mqtt::SubscribeEntries{raw};
    mqtt::encode(packet, version, output(side));
  }
  if (side == Side::local) unanswered_subscribes_ = wanted.size();
  if (side == Side::remote) subscribing_.assign(wanted.begin(), wanted.end());
  if (!session_present || !settings_.attempt_unsubscribe) return;
  // A rule that led the other way in an earlier configuration.
  for (const TopicRule& rule : settings_.topics) {
    const Bytes filter = rule.filter(side);
    if (std::ranges::find(wanted, filter) != wanted.end()) continue;
    Bytes raw;
    mqtt::append_filter(raw, filter);
    mqtt::Unsubscribe packet;
    packet.packet_id = next_id();
    packet.filters = mqtt::Filters{raw};
    mqtt::encode(packet, version, output(side));
  }
}

Bytes BridgeCore::on_suback(Side side, const mqtt::Frame& frame, Instant now) {
  mqtt::Suback packet;
  const mqtt::DecodeError error = mqtt::decode_suback(frame, relay_.version(side), packet);
  if (error != mqtt::DecodeError::none) return "it sent a malformed SUBACK";
  if (side == Side::local) {
    if (unanswered_subscribes_ > 0 && --unanswered_subscribes_ == 0 && state_ == State::preparing) {
      finish_preparing(now);
    }
    return {};
  }
  if (subscribing_.empty()) return {};
  const Bytes filter = std::move(subscribing_.front());
  subscribing_.pop_front();
  for (const ReasonCode code : packet.codes) {
    if (!mqtt::is_failure(code)) continue;
    report(BridgeEvent::Kind::refused, filter + ": " + Bytes{mqtt::name(code)});
  }
  return {};
}

// QoS 0: a lost one is replaced by the next, and needs no packet id.
void BridgeCore::notify(Side side, bool up) {
  if (!settings_.notifications || (side == Side::remote && settings_.notifications_local)) return;
  const mqtt::PublishHead head{.retain = true};
  mqtt::encode_publish(output(side), relay_.version(side), head, settings_.notification_topic, {},
                       up ? "1" : "0");
}

}  // namespace naru::broker
