#include "broker/bridge/bridge_core.hpp"

#include <algorithm>

#include "broker/mqtt/encoder.hpp"
#include "storage/base/check.hpp"

namespace naru::broker {

namespace {

constexpr Seconds answer_limit{30};  // For a transport, a CONNACK, a SUBACK of ours.
constexpr Seconds probe_every{10};   // Of the preferred address.
constexpr Seconds tell_drops_every{60};

}  // namespace

BridgeCore::BridgeCore(BridgeSettings settings, Rng rng)
    : settings_(std::move(settings)),
      rng_(rng),
      back_off_(settings_.restart_base, settings_.restart_most),
      relay_(settings_) {
  NARU_CHECK(settings_.addresses > 0 && !settings_.greetings.empty());
}

void BridgeCore::start(Instant now) {
  state_ = State::preparing;
  due_ = now + answer_limit;
  wish(Side::local, now);
}

void BridgeCore::wish(Side side, Instant now) {
  wished_[place(side)] = ++attempts_;
  connected_[place(side)] = false;
  relay_.end(side);
  due_ = now + answer_limit;
}

void BridgeCore::dial(Instant now) {
  state_ = State::dialing;
  wish(Side::remote, now);
}

void BridgeCore::report(BridgeEvent::Kind kind, Bytes text) {
  events_.push_back({kind, std::move(text)});
}

bool BridgeCore::next_event(BridgeEvent& out) {
  if (events_.empty()) return false;
  out = std::move(events_.front());
  events_.pop_front();
  return true;
}

// ---- the end of a connection -------------------------------------------------------------------

// What stays in the output of a side is said before its connection is closed.
void BridgeCore::part(bool tell) {
  for (const Side side : {Side::local, Side::remote}) {
    const bool speaks = is_connected(side) && (side == Side::local || tell);
    if (speaks) {
      notify(side, false);
      mqtt::encode(mqtt::Disconnect{}, relay_.version(side), output(side));
    } else {
      relay_.end(side);
    }
    wished_[place(side)] = 0;
    connected_[place(side)] = false;
  }
  subscribing_.clear();
  probing_ = false;
  probe_due_ = Instant::never();
}

void BridgeCore::stop() {
  if (state_ == State::over) return;
  if (state_ == State::relaying) report(BridgeEvent::Kind::down, "this broker stops");
  part(true);
  state_ = State::over;
  due_ = Instant::never();
}

void BridgeCore::leave(BytesView why, Instant now) {
  const bool was_up = state_ == State::relaying;
  part(false);
  // An outage is told once, and again when it has another reason.
  if (was_up || last_reason_ != why) report(BridgeEvent::Kind::down, Bytes{why});
  last_reason_ = why;
  if (settings_.once && state_ != State::preparing) {
    state_ = State::over;
    due_ = Instant::never();
    return;
  }
  const bool prefers_first = !settings_.round_robin && was_up;
  address_ = prefers_first ? 0 : (address_ + 1) % settings_.addresses;
  state_ = State::resting;
  due_ = now + back_off_.next(rng_);
}

void BridgeCore::on_lost(Side side, BytesView why, Instant now) {
  if (state_ == State::over || wished(side) == 0) return;
  wished_[place(side)] = 0;
  connected_[place(side)] = false;
  relay_.end(side);
  // Perhaps it did not understand how we said hello.
  if (state_ == State::greeting && side == Side::remote && next_greeting()) return dial(now);
  leave(why, now);
}

bool BridgeCore::next_greeting() {
  greeting_ = (greeting_ + 1) % settings_.greetings.size();
  return greeting_ != 0;
}

void BridgeCore::on_preferred_back(Instant now) {
  probing_ = false;
  if (state_ != State::relaying || address_ == 0) return;
  leave("the preferred address is back", now);
  address_ = 0;
  if (state_ == State::resting) due_ = now;
}

// ---- time --------------------------------------------------------------------------------------

void BridgeCore::on_time(Instant now) {
  report_drops(now);
  if (due_ <= now) {
    switch (state_) {
      case State::resting:
        if (!prepared_) {
          start(now);
        } else {
          dial(now);
        }
        break;
      case State::preparing: leave("this broker does not answer", now); break;
      case State::dialing:
        leave("the remote broker cannot be reached: it does not answer", now);
        break;
      case State::greeting:
      case State::joining: leave("the remote broker does not answer", now); break;
      case State::relaying:
      case State::over: due_ = Instant::never(); break;
    }
  }
  if (state_ != State::relaying) return;
  if (probe_due_ <= now) {
    probing_ = true;
    probe_due_ = now + probe_every;
  }
  if (keep_alive_s_ == 0) return;
  if (!wants_input(Side::remote)) heard_ = now;  // What is not read cannot be silence.
  const Duration keep_alive = Seconds{keep_alive_s_};
  if (now - heard_ > keep_alive * 3 / 2) return leave("the remote broker has fallen silent", now);
  if (now - said_ >= keep_alive * 3 / 4) {
    mqtt::encode(mqtt::Pingreq{}, relay_.version(Side::remote), output(Side::remote));
    said_ = now;
  }
}

Instant BridgeCore::next_deadline() const {
  Instant next = due_;
  if (state_ != State::relaying) return next;
  next = std::min(next, probe_due_);
  if (keep_alive_s_ == 0) return next;
  const Duration keep_alive = Seconds{keep_alive_s_};
  return std::min({next, said_ + keep_alive * 3 / 4, heard_ + keep_alive * 3 / 2 + Millis{1}});
}

void BridgeCore::report_drops(Instant now) {
  if (drop_told_ && now < *drop_told_ + tell_drops_every) return;
  Bytes drop = relay_.take_drop();
  if (drop.empty()) return;
  drop_told_ = now;
  report(BridgeEvent::Kind::dropped, std::move(drop));
}

// ---- input -------------------------------------------------------------------------------------

bool BridgeCore::wants_input(Side side) const {
  if (wished(side) == 0) return false;
  if (side == Side::remote && state_ == State::joining) return false;
  return state_ != State::relaying || relay_.has_room(side);
}

std::size_t BridgeCore::receive(Side side, BytesView bytes, Instant now) {
  if (side == Side::remote) heard_ = now;
  const std::uint64_t connection = wished(side);
  std::size_t taken = 0;
  while (taken < bytes.size() && wants_input(side) && wished(side) == connection) {
    mqtt::Frame frame;
    const mqtt::Framing framing = mqtt::next_frame(bytes.substr(taken), 0, frame);
    if (framing == mqtt::Framing::incomplete) break;
    Bytes fault = framing == mqtt::Framing::complete ? on_packet(side, frame, now)
                                                     : Bytes{"it sent malformed bytes"};
    if (!fault.empty()) {
      on_lost(side, fault, now);
      return bytes.size();
    }
    taken += frame.size;
  }
  report_drops(now);
  return wished(side) == connection ? taken : bytes.size();
}

Bytes BridgeCore::on_packet(Side side, const mqtt::Frame& frame, Instant now) {
  using mqtt::PacketType;
  const PacketType type = mqtt::type_of(frame);
  if (!is_connected(side)) {
    if (type != PacketType::connack) return "it did not begin with CONNACK";
    return on_connack(side, frame, now);
  }
  switch (type) {
    case PacketType::publish:
      // While our session is prepared nothing crosses; what came is sent again.
      return state_ == State::relaying ? relay_.on_publish(side, frame) : Bytes{};
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp:
      return state_ == State::relaying ? relay_.on_ack(side, frame) : Bytes{};
    case PacketType::suback: return on_suback(side, frame, now);
    case PacketType::disconnect: return on_disconnect(side, frame);
    case PacketType::unsuback:
    case PacketType::pingresp: return {};
    default: return "it sent a packet that only clients send";
  }
}

Bytes BridgeCore::on_disconnect(Side side, const mqtt::Frame& frame) {
  mqtt::Disconnect packet;
  if (mqtt::decode_disconnect(frame, relay_.version(side), packet) != mqtt::DecodeError::none) {
    return "it sent a malformed DISCONNECT";
  }
  Bytes why = "it ended the connection: ";
  why.append(mqtt::name(packet.reason));
  if (!packet.reason_string.empty()) why.append(": ").append(packet.reason_string);
  return why;
}

}  // namespace naru::broker
