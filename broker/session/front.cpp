#include "broker/session/front.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "broker/mqtt/encoder.hpp"
#include "broker/mqtt/varint.hpp"
#include "broker/session/answers.hpp"
#include "broker/session/connection_values.hpp"
#include "storage/base/check.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

using mqtt::PacketType;

namespace {
constexpr Seconds turning_away{2};            // For whom a limit keeps out to say CONNECT.
constexpr std::size_t open_acks_max = 4'096;  // Of a 3.x client, which knows no Receive Maximum.

constexpr BytesView not_connect = "the first packet has to be CONNECT";
constexpr BytesView connect_too_large = "it is larger than max_packet_size, or than 256 KB";
constexpr BytesView answer_too_large = "an answer is larger than its Maximum Packet Size";

Denial denial_of(const Connection& c, Denial::Kind kind, BytesView topic, Bytes why) {
  return {kind, c.client_id, c.identity, c.peer.address, Bytes{topic}, std::move(why), 0};
}

}  // namespace

Front::Front(const ShardSettings& settings, RouteTable& routes, const Gate& gate,
             Publisher& publisher, ShardOutput& output, ShardCounters& counters, Rng rng)
    : settings_(settings),
      routes_(routes),
      gate_(gate),
      publisher_(publisher),
      output_(output),
      counters_(counters),
      denials_(counters, output),
      retained_(settings, output),
      throttle_(settings, counters),
      rng_(rng) {}

void Front::opened(ConnectionId id, Peer peer) {
  auto connection = std::make_unique<Connection>();
  connection->id = id;
  connection->peer = std::move(peer);
  connection->last_received = now_;
  const bool comes_in = connection->peer.refusal == ReasonCode::success;
  connections_.add(std::move(connection));
  deadlines_.set(id, now_ + (comes_in ? settings_.limits.connect_timeout : turning_away));
}

void Front::introduce(ConnectionId id, Peer peer) {
  if (Connection* const c = find(id)) c->peer = std::move(peer);
}

Bytes* Front::output(ConnectionId id) {
  Connection* const c = find(id);
  return c == nullptr ? nullptr : &c->output;
}

void Front::sending(ConnectionId id) {
  if (Connection* const c = find(id)) c->dirty = false;
}

void Front::touch(Connection& c) {
  if (c.dirty) return;
  c.dirty = true;
  output_.dirty.push_back(c.id);
}

// ---- input -------------------------------------------------------------------------------------

namespace {

// What a client subscribes to and then publishes comes back to it, however fast it was.
bool waits_for_subscribe(Connection& c, const mqtt::Frame& frame) {
  const bool publishes = mqtt::type_of(frame) == PacketType::publish;
  const bool full = c.subscribes_open == std::numeric_limits<std::uint16_t>::max();
  if (c.subscribes_open != 0 && (publishes || full)) c.publish_waits = true;
  return c.publish_waits;
}

}  // namespace

bool Front::may_read(const Connection& c) const {
  if (!c.takes_input() || c.rights_open != 0 || c.fences_open != 0 || c.is_held()) {
    return false;
  }
  if (c.output.size() > settings_.max_output) return false;  // It talks but does not listen.
  if (c.settles || c.publish_waits) return false;
  return c.acks.empty() || (c.acks.size() < open_acks_max && !over_pressure);
}

std::size_t Front::receive(ConnectionId id, BytesView bytes) {
  Connection* const c = find(id);
  if (c == nullptr) return bytes.size();
  c->last_received = now_;
  counters_.bytes_in += bytes.size();
  std::size_t taken = 0;
  while (taken < bytes.size() && c->state != Connection::State::closing) {
    if (!may_read(*c)) {
      if (c->takes_input() && !std::exchange(c->paused, true)) {
        paused_.push_back(id);
      }
      break;
    }
    const bool known = c->state == Connection::State::live;
    const std::uint32_t size_max =
        known ? settings_.max_packet_size
              : std::min(settings_.max_packet_size, limits::connect_packet_bytes);
    mqtt::Frame frame;
    const mqtt::Framing framing = mqtt::next_frame(bytes.substr(taken), size_max, frame);
    // What does not begin as a CONNECT is not waited for to become one.
    const bool hopeful = c->state != Connection::State::awaiting_connect ||
                         mqtt::type_of(frame) == PacketType::connect;
    if (framing == mqtt::Framing::incomplete && hopeful) break;
    if (framing != mqtt::Framing::complete) {
      refuse_frame(*c, framing, frame, bytes.substr(taken));
      break;
    }
    if (waits_for_subscribe(*c, frame)) continue;
    if ((c->rate || settings_.low_memory) && waits_for_rate(*c, frame)) break;
    std::size_t consumed = frame.size;
    const bool stays = handle(*c, frame, consumed);
    taken += consumed;
    if (!stays) return taken;  // Handed over: the rest belongs to another shard.
  }
  counters_.bytes_in -= bytes.size() - taken;
  return c->state == Connection::State::closing ? bytes.size() : taken;
}

// False: the connection is no longer ours.
bool Front::handle(Connection& c, const mqtt::Frame& frame, std::size_t& consumed) {
  if (c.state == Connection::State::live) {
    handle_live(c, frame);
    if (c.rights_open != 0) {
      consumed = 0;  // It comes again when they are known.
    } else if (c.rate) {
      throttle_.charge(*c.rate, frame);
    }
    return true;
  }
  if (c.state == Connection::State::proving) {
    handle_proving(c, frame);
    return true;
  }
  if (mqtt::type_of(frame) != PacketType::connect) {
    break_off(c, ReasonCode::protocol_error, mqtt::type_of(frame), not_connect);
    return true;
  }
  if (on_connect(c, frame)) return true;
  consumed = 0;
  return false;
}

void Front::handle_live(Connection& c, const mqtt::Frame& frame) {
  switch (mqtt::type_of(frame)) {
    case PacketType::publish: return on_publish(c, frame);
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp: return on_ack(c, frame);
    case PacketType::subscribe: return on_subscribe(c, frame);
    case PacketType::unsubscribe: return on_unsubscribe(c, frame);
    case PacketType::pingreq: {
      const mqtt::DecodeError error = mqtt::decode_pingreq(frame);
      if (error != mqtt::DecodeError::none) return fail(c, frame, error);
      mqtt::encode(mqtt::Pingresp{}, c.version, c.output);
      return touch(c);
    }
    case PacketType::disconnect: return on_disconnect(c, frame);
    case PacketType::auth: return on_auth(c, frame);
    // CONNECT again, or a server's.
    default: return fail(c, frame, mqtt::DecodeError::protocol_error);
  }
}

void Front::on_disconnect(Connection& c, const mqtt::Frame& frame) {
  mqtt::Disconnect packet;
  const mqtt::DecodeError error = mqtt::decode_disconnect(frame, c.version, packet);
  if (error != mqtt::DecodeError::none) return fail(c, frame, error);
  if (packet.session_expiry_interval && *packet.session_expiry_interval != 0 && c.expiry_was_zero) {
    return break_off(c, ReasonCode::protocol_error, PacketType::disconnect,
                     "a Session Expiry Interval of 0 in CONNECT may not become another");
  }
  std::optional<std::uint32_t> expiry = packet.session_expiry_interval;
  if (expiry) expiry = std::min(*expiry, settings_.session_expiry_max_s);
  const bool publish_will = packet.reason != ReasonCode::normal_disconnection;
  detach(c, publish_will, packet.reason, expiry);
  close(c);
}

// ---- the end of a connection -------------------------------------------------------------------

namespace {

// What an operator, time or another connection ends is no fault of the client's.
bool breaks_protocol(mqtt::ReasonCode reason) {
  using mqtt::ReasonCode;
  switch (reason) {
    case ReasonCode::session_taken_over:
    case ReasonCode::administrative_action:
    case ReasonCode::not_authorized:
    case ReasonCode::keep_alive_timeout:
    case ReasonCode::quota_exceeded:
    case ReasonCode::message_rate_too_high:
    case ReasonCode::server_shutting_down: return false;
    default: return static_cast<std::uint8_t>(reason) >= 0x80;
  }
}

}  // namespace

void Front::end(Connection& c, ReasonCode reason, BytesView text) {
  if (c.state == Connection::State::closing) return;
  if (breaks_protocol(reason)) ++counters_.protocol_errors;
  if (!c.is_in()) return close(c);
  if (c.version == mqtt::Version::v5 && c.state == Connection::State::live) {
    write_disconnect(c, reason, text);
  }
  detach(c, true, reason, std::nullopt);
  close(c);
}

// An answer larger than the client takes may not be sent, and without it nothing can go on.
void Front::end_if_too_large(Connection& c, std::size_t before) {
  if (c.packet_size_max == 0 || c.output.size() - before <= c.packet_size_max) return;
  c.output.resize(before);
  explain(c, Denial::Kind::protocol, {}, Bytes{answer_too_large});
  end(c, ReasonCode::packet_too_large, answer_too_large);
}

void Front::break_off(Connection& c, ReasonCode reason, PacketType in, BytesView what) {
  if (c.state == Connection::State::closing) return;
  explain(c, Denial::Kind::protocol, {}, fault_text(reason, in, what));
  end(c, reason, what);
}

void Front::fail(Connection& c, const mqtt::Frame& frame, mqtt::DecodeError error) {
  break_off(c, mqtt::reason_of(error), mqtt::type_of(frame), mqtt::text_of(error));
}

// `bytes` begin with what is no packet, or is too large for one.
void Front::refuse_frame(Connection& c, mqtt::Framing framing, mqtt::Frame frame, BytesView bytes) {
  const PacketType type = mqtt::type_of(frame);
  const bool comes = c.state == Connection::State::awaiting_connect;
  if (comes && type != PacketType::connect) {
    return break_off(c, ReasonCode::protocol_error, type, not_connect);
  }
  if (framing != mqtt::Framing::too_large) {
    return break_off(c, ReasonCode::malformed_packet, type, "its type or its length is wrong");
  }
  const BytesView what = comes ? connect_too_large : "it is larger than max_packet_size";
  if (comes) {
    // What has come of it says whether an answer would be understood.
    ByteReader in{bytes.substr(1)};
    in.varint();
    frame.body = in.rest();
    frame.size = 1 + mqtt::varint_size(frame.body.size()) + frame.body.size();
    mqtt::Connect connect;
    const auto error = mqtt::decode_connect(frame, connect);
    c.version = connect.version;
    c.packet_size_max = connect.maximum_packet_size;  // If it came that far.
    const bool spoken = error != mqtt::DecodeError::unsupported_version;
    if (spoken && c.version == mqtt::Version::v5) {
      write_connack_refusal(c, ReasonCode::packet_too_large, what);
    }
  }
  break_off(c, ReasonCode::packet_too_large, type, what);
}

bool Front::kick(ConnectionId id, BytesView text) {
  Connection* const c = find(id);
  if (c == nullptr || c->state == Connection::State::closing) return false;
  end(*c, ReasonCode::administrative_action, text);
  return true;
}

void Front::close(Connection& c) {
  if (c.state == Connection::State::closing) return;
  c.state = Connection::State::closing;
  drop_subscriptions(c);
  deadlines_.cancel(c.id);
  touch(c);
  output_.closing.push_back(c.id);
}

void Front::detach(Connection& c, bool publish_will, ReasonCode reason,
                   std::optional<std::uint32_t> expiry_s) {
  if (!c.is_in()) return;
  ++counters_.disconnects;
  output_.hops[settings_.shard].emplace_back(
      hop::Detach{c.id, c.client_id, publish_will, static_cast<std::uint8_t>(reason), expiry_s});
}

void Front::closed(ConnectionId id) {
  Connection* const c = find(id);
  if (c == nullptr) return;
  if (c->state != Connection::State::closing) {
    detach(*c, true, ReasonCode::unspecified_error, std::nullopt);
    drop_subscriptions(*c);
  }
  deadlines_.cancel(id);
  connections_.erase(id);
}

void Front::reload() {
  for (const auto& connection : connections_) {
    Connection& c = *connection;
    if (!c.is_in() || c.peer.own_bridge) continue;
    c.acl = gate_.acl_of(c.peer.listener);
    c.asks_rights = gate_.asks_rights(c.peer.listener);
    learn_certificate(c);
    if (c.granted) c.granted->known.clear();
    throttle_.fit(c.rate, now_);
    if (!c.judged || gate_.still_admits(c.peer.listener, c.identity, c.proof)) continue;
    withdraw(c.id, "it would not be let in any more after the reload");
  }
}

void Front::withdraw(ConnectionId id, BytesView why) {
  Connection* const c = find(id);
  if (c == nullptr || c->state == Connection::State::closing) return;
  if (c->is_in()) {
    denials_.insist(denial_of(*c, Denial::Kind::connect, {}, Bytes{why}));
  } else {
    explain(*c, Denial::Kind::connect, {}, Bytes{why});
  }
  end(*c, ReasonCode::administrative_action);
}

void Front::shut_down() {
  for (const auto& connection : connections_) {
    if (connection->version == mqtt::Version::v5 && connection->state == Connection::State::live) {
      write_disconnect(*connection, ReasonCode::server_shutting_down, {});
    }
    // No Detach: the lanes take everybody for connected and give the wills their grace.
    close(*connection);
  }
}

// ---- rights ------------------------------------------------------------------------------------

bool Front::may(const Connection& c, Denial::Kind kind, BytesView topic) {
  const AclSubject subject = subject_of(c);
  const Access access = kind == Denial::Kind::publish ? Access::write : Access::read;
  for (const Acl* const acl : {static_cast<const Acl*>(c.acl.get()), c.token_acl()}) {
    if (acl == nullptr) continue;
    const AclVerdict verdict = kind == Denial::Kind::subscribe ? acl->check_filter(subject, topic)
                                                               : acl->check(subject, access, topic);
    if (verdict.allowed) continue;
    explain(c, kind, topic, acl->explain(verdict));
    return false;
  }
  return true;
}

void Front::explain(const Connection& c, Denial::Kind kind, BytesView topic, Bytes why) {
  const BytesView host = c.is_in() ? BytesView{} : host_of(c.peer.address);
  if (!denials_.take(kind, {c.client_id, c.identity, host}, now_)) return;
  denials_.tell(denial_of(c, kind, topic, std::move(why)));
}

Route Front::route_of(const Connection& c) const {
  if (c.session != 0) return {c.session, 0, c.lane, Route::Kind::session, 0};
  return {c.id, 0, settings_.shard, Route::Kind::connection, 0};
}

}  // namespace naru::broker
