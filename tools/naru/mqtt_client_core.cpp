// tools/naru/mqtt_client_core.cpp
#include "tools/naru/mqtt_client_core.hpp"

#include <algorithm>

#include "broker/mqtt/encoder.hpp"
#include "storage/base/check.hpp"

namespace naru::tools {
namespace {

using mqtt::DecodeError;
using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;
using Kind = ClientEvent::Kind;

constexpr std::uint8_t dup_flag = 0x08;
constexpr Seconds greeting_time{15};
constexpr std::size_t packet_ids = 65'535;

}  // namespace

MqttClientCore::MqttClientCore(ClientSettings settings)
    : settings_(std::move(settings)), window_(settings_.window) {}

void MqttClientCore::on_connected(Instant now) {
  NARU_CHECK(state_ == State::offline);
  times_ = {.now = now, .input = now, .output = now};
  state_ = State::greeting;
  mqtt::Connect connect;
  connect.version = settings_.version;
  connect.clean_start = settings_.clean_start;
  connect.keep_alive = settings_.keep_alive_s;
  connect.client_id = settings_.client_id;
  connect.session_expiry_interval = settings_.session_expiry_s;
  if (settings_.user) connect.username = *settings_.user;
  if (settings_.password) connect.password = *settings_.password;
  mqtt::encode(connect, output_);
}

void MqttClientCore::on_disconnected() {
  state_ = State::offline;
  in_flight_ = 0;
  input_ = {};
  partial_.clear();
  output_.clear();
}

void MqttClientCore::on_bytes(BytesView bytes, Instant now) {
  times_.now = times_.input = now;
  if (state_ == State::closing) return;  // Comes again to whoever has the session next.
  if (partial_.empty()) {
    input_ = bytes;
  } else {
    partial_.append(bytes);
    input_ = partial_;
  }
}

bool MqttClientCore::next_event(ClientEvent& out) {
  if (input_.data() == nullptr) return false;  // Nothing came since it last said so.
  while (state_ == State::greeting || state_ == State::online) {
    mqtt::Frame frame;
    const mqtt::Framing framing = mqtt::next_frame(input_, 0, frame);
    if (framing == mqtt::Framing::incomplete) break;
    if (framing != mqtt::Framing::complete) return fail(out, "the broker sent malformed bytes");
    input_.remove_prefix(frame.size);
    if (handle(frame, out)) return true;
  }
  keep_rest();
  return false;
}

// What remains is the start of a packet; the caller's buffer is free again afterwards.
void MqttClientCore::keep_rest() {
  if (partial_.empty()) {
    partial_.assign(input_);
  } else {
    partial_.erase(0, partial_.size() - input_.size());
  }
  input_ = {};
}

bool MqttClientCore::handle(const mqtt::Frame& frame, ClientEvent& out) {
  const PacketType type = mqtt::type_of(frame);
  if (state_ == State::greeting && type != PacketType::connack) {
    return fail(out, "the broker did not begin with CONNACK");
  }
  switch (type) {
    case PacketType::connack: return on_connack(frame, out);
    case PacketType::publish: return on_publish(frame, out);
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubcomp: return on_acknowledgement(frame, out);
    case PacketType::pubrel: return on_pubrel(frame, out);
    case PacketType::suback: return on_suback(frame, out);
    case PacketType::unsuback: return on_unsuback(frame, out);
    case PacketType::disconnect: return on_disconnect(frame, out);
    case PacketType::pingresp: return false;
    case PacketType::connect:
    case PacketType::subscribe:
    case PacketType::unsubscribe:
    case PacketType::pingreq:
    case PacketType::auth: break;
  }
  return fail(out, "the broker sent a packet that only clients send");
}

bool MqttClientCore::on_connack(const mqtt::Frame& frame, ClientEvent& out) {
  mqtt::Connack connack;
  if (state_ != State::greeting ||
      mqtt::decode_connack(frame, settings_.version, connack) != DecodeError::none) {
    return fail(out, "the broker sent a wrong CONNACK");
  }
  out.reason = connack.reason;
  out.session_present = connack.session_present;
  if (connack.reason != ReasonCode::success) {
    out.kind = Kind::refused;
    out.text = in_words(connack.reason);
    if (!connack.reason_string.empty()) out.text += ": " + Bytes{connack.reason_string};
    return true;
  }
  out.kind = Kind::online;
  state_ = State::online;
  window_ = std::min<std::size_t>(settings_.window, connack.receive_maximum);
  if (!connack.session_present) {
    // The broker knows nothing of what was under way: all of it begins anew.
    received_.clear();
    for (Outgoing& message : outgoing_) {
      message.id = 0;
      message.awaits = Awaits::nothing;
    }
  }
  send_what_fits();
  return true;
}

bool MqttClientCore::on_publish(const mqtt::Frame& frame, ClientEvent& out) {
  if (mqtt::decode_publish(frame, settings_.version, out.message) != DecodeError::none) {
    return fail(out, "the broker sent a malformed PUBLISH");
  }
  const mqtt::PacketId id = out.message.packet_id;
  out.kind = Kind::message;
  if (out.message.qos == Qos::at_least_once) {
    mqtt::encode_ack(output_, settings_.version, PacketType::puback, id, ReasonCode::success);
  }
  if (out.message.qos != Qos::exactly_once) return true;
  mqtt::encode_ack(output_, settings_.version, PacketType::pubrec, id, ReasonCode::success);
  return received_.insert(id).second;
}

bool MqttClientCore::on_pubrel(const mqtt::Frame& frame, ClientEvent& out) {
  mqtt::Ack ack;
  if (mqtt::decode_ack(frame, settings_.version, ack) != DecodeError::none) {
    return fail(out, "the broker sent a malformed PUBREL");
  }
  const bool known = received_.erase(ack.packet_id) > 0;
  mqtt::encode_ack(output_, settings_.version, PacketType::pubcomp, ack.packet_id,
                   known ? ReasonCode::success : ReasonCode::packet_identifier_not_found);
  return false;
}

bool MqttClientCore::on_acknowledgement(const mqtt::Frame& frame, ClientEvent& out) {
  mqtt::Ack ack;
  if (mqtt::decode_ack(frame, settings_.version, ack) != DecodeError::none) {
    return fail(out, "the broker sent a malformed acknowledgement");
  }
  const auto end = outgoing_.begin() + static_cast<std::ptrdiff_t>(in_flight_);
  const auto at = std::find_if(outgoing_.begin(), end,
                               [&](const Outgoing& m) { return m.id == ack.packet_id; });
  const PacketType type = mqtt::type_of(frame);
  const Awaits kind = type == PacketType::puback   ? Awaits::puback
                      : type == PacketType::pubrec ? Awaits::pubrec
                                                   : Awaits::pubcomp;
  // A PUBREC that comes twice, after a resend, is answered twice.
  const bool again = at != end && kind == Awaits::pubrec && at->awaits == Awaits::pubcomp;
  if (at == end || (at->awaits != kind && !again)) {
    return fail(out, "the broker acknowledged what was not sent");
  }
  if (kind == Awaits::pubrec && !mqtt::is_failure(ack.reason)) {
    at->awaits = Awaits::pubcomp;
    mqtt::encode_ack(output_, settings_.version, PacketType::pubrel, at->id, ReasonCode::success);
    return false;
  }
  out.kind = Kind::acknowledged;
  out.tag = at->tag;
  out.reason = ack.reason;
  out.text = in_words(ack.reason);
  if (!ack.reason_string.empty()) out.text += ": " + Bytes{ack.reason_string};
  outgoing_.erase(at);
  --in_flight_;
  send_what_fits();
  return true;
}

bool MqttClientCore::on_suback(const mqtt::Frame& frame, ClientEvent& out) {
  mqtt::Suback suback;
  if (mqtt::decode_suback(frame, settings_.version, suback) != DecodeError::none) {
    return fail(out, "the broker sent a malformed SUBACK");
  }
  out.kind = Kind::subscribed;
  out.codes = suback.codes;
  return true;
}

bool MqttClientCore::on_unsuback(const mqtt::Frame& frame, ClientEvent& out) {
  mqtt::Unsuback unsuback;
  if (mqtt::decode_unsuback(frame, settings_.version, unsuback) != DecodeError::none) {
    return fail(out, "the broker sent a malformed UNSUBACK");
  }
  out.kind = Kind::unsubscribed;
  out.codes = unsuback.codes;
  return true;
}

bool MqttClientCore::on_disconnect(const mqtt::Frame& frame, ClientEvent& out) {
  mqtt::Disconnect disconnect;
  if (mqtt::decode_disconnect(frame, settings_.version, disconnect) != DecodeError::none) {
    return fail(out, "the broker sent a malformed DISCONNECT");
  }
  std::string text = "the broker ended the connection: " + in_words(disconnect.reason);
  if (!disconnect.reason_string.empty()) text += ": " + Bytes{disconnect.reason_string};
  fail(out, std::move(text));
  out.reason = disconnect.reason;
  return true;
}

bool MqttClientCore::fail(ClientEvent& out, std::string text) {
  out.kind = Kind::failed;
  out.reason = ReasonCode::unspecified_error;
  out.text = std::move(text);
  input_ = {};
  partial_.clear();
  state_ = State::offline;
  return true;
}

void MqttClientCore::on_time(Instant now) {
  times_.now = now;
  const Seconds keep_alive{settings_.keep_alive_s};
  if (state_ != State::online || keep_alive.count() == 0) return;
  if (now - times_.output < keep_alive * 3 / 4) return;
  times_.output = now;
  mqtt::encode(mqtt::Pingreq{}, settings_.version, output_);
}

bool MqttClientCore::is_silent() const {
  const Seconds keep_alive{settings_.keep_alive_s};
  if (state_ == State::greeting) return times_.now - times_.input > greeting_time;
  return state_ == State::online && keep_alive.count() > 0 &&
         times_.now - times_.input > keep_alive * 3 / 2;
}

void MqttClientCore::publish(const OutgoingPublish& message) {
  Outgoing& added = outgoing_.emplace_back();
  added.qos = message.qos;
  added.tag = message.tag;
  const bool counted = message.qos != Qos::at_most_once;
  const mqtt::PublishHead head{.qos = message.qos,
                               .retain = message.retain,
                               .packet_id = static_cast<mqtt::PacketId>(counted ? 1 : 0),
                               .expiry = message.expiry_s,
                               .subscription_ids = {}};
  mqtt::encode_publish(added.packet, settings_.version, head, message.topic, message.properties,
                       message.payload);
  // The id comes right behind the topic; where that begins depends on the length's own length.
  std::size_t length_bytes = 1;
  while ((static_cast<unsigned char>(added.packet[length_bytes]) & 0x80u) != 0) ++length_bytes;
  added.id_offset = 1 + length_bytes + 2 + message.topic.size();
  send_what_fits();
}

void MqttClientCore::send_what_fits() {
  if (state_ != State::online) return;
  while (in_flight_ < outgoing_.size()) {
    const auto next = outgoing_.begin() + static_cast<std::ptrdiff_t>(in_flight_);
    if (next->qos != Qos::at_most_once && in_flight_ >= window_) return;
    send(*next);
    if (next->qos == Qos::at_most_once) {
      outgoing_.erase(next);
    } else {
      ++in_flight_;
    }
  }
}

void MqttClientCore::send(Outgoing& message) {
  times_.output = times_.now;
  const bool again = message.id != 0;
  if (again) ++resent_;
  if (message.awaits == Awaits::pubcomp) {
    mqtt::encode_ack(output_, settings_.version, PacketType::pubrel, message.id,
                     ReasonCode::success);
    return;
  }
  if (message.qos != Qos::at_most_once && !again) {
    message.id = free_id();
    message.awaits = message.qos == Qos::at_least_once ? Awaits::puback : Awaits::pubrec;
    message.packet[message.id_offset] = static_cast<char>(message.id >> 8);
    message.packet[message.id_offset + 1] = static_cast<char>(message.id & 0xff);
  }
  const auto first = static_cast<std::uint8_t>(message.packet[0]);
  const auto flag = static_cast<std::uint8_t>(again ? first | dup_flag : first & ~dup_flag);
  message.packet[0] = static_cast<char>(flag);
  output_ += message.packet;
}

mqtt::PacketId MqttClientCore::free_id() {
  NARU_CHECK(in_flight_ < packet_ids);
  const auto taken = [this] {
    for (const Outgoing& message : outgoing_) {
      if (message.id == 0) return false;  // Never sent, and so is everything behind it.
      if (message.id == last_id_) return true;
    }
    return false;
  };
  do {
    last_id_ = static_cast<mqtt::PacketId>(last_id_ == packet_ids ? 1 : last_id_ + 1);
  } while (taken());
  return last_id_;
}

void MqttClientCore::subscribe(std::span<const mqtt::SubscribeEntry> entries) {
  NARU_CHECK(online());
  Bytes raw;
  for (const mqtt::SubscribeEntry& entry : entries) mqtt::append_entry(raw, entry);
  mqtt::Subscribe subscribe;
  subscribe.packet_id = free_id();
  subscribe.entries = mqtt::SubscribeEntries{raw};
  mqtt::encode(subscribe, settings_.version, output_);
}

void MqttClientCore::unsubscribe(BytesView filter) {
  NARU_CHECK(online());
  Bytes raw;
  mqtt::append_filter(raw, filter);
  mqtt::Unsubscribe unsubscribe;
  unsubscribe.packet_id = free_id();
  unsubscribe.filters = mqtt::Filters{raw};
  mqtt::encode(unsubscribe, settings_.version, output_);
}

void MqttClientCore::disconnect() {
  NARU_CHECK(online());
  state_ = State::closing;
  mqtt::encode(mqtt::Disconnect{}, settings_.version, output_);
}

std::string in_words(ReasonCode reason) {
  std::string text{mqtt::name(reason)};
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

}  // namespace naru::tools
