// Front's part that lets clients in.

#include <algorithm>
#include <array>

#include "broker/mqtt/bridge_path.hpp"
#include "broker/mqtt/encoder.hpp"
#include "broker/mqtt/topics.hpp"
#include "broker/mqtt/varint.hpp"
#include "broker/session/answers.hpp"
#include "broker/session/connection_values.hpp"
#include "broker/session/front.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

using mqtt::Version;
using From = ClientIdRule::From;

namespace {

constexpr std::uint32_t never_expires = 0xffffffff;

Bytes with_client_id(Bytes text, BytesView client_id) {
  static constexpr BytesView variable = "%c";
  for (auto at = text.find(variable); at != Bytes::npos;
       at = text.find(variable, at + client_id.size())) {
    text.replace(at, variable.size(), client_id);
  }
  return text;
}

// An id nobody guesses twice, in a lane of this shard, so that nothing need be handed over.
Bytes new_client_id(const ShardSettings& settings, Rng& rng) {
  while (true) {
    static constexpr std::string_view digits = "0123456789abcdef";
    Bytes id = "naru-";
    for (int i = 0; i < 4; ++i) {
      std::uint64_t number = rng.next();
      for (int digit = 0; digit < 5; ++digit, number >>= 4) id.push_back(digits[number & 15]);
    }
    if (settings.shard_of_lane(cluster::lane_of(id)) == settings.shard) return id;
  }
}

// The name that a token proves, where CONNECT gives none. Valid as long as the admission.
void take_proved_name(const ClientIdRule& ids, const Admission& admission, mqtt::Connect& connect) {
  const bool nameless = ids.from == From::user && connect.client_id.empty();
  if (nameless && admission.is_admitted()) connect.client_id = admission.user;
}

// In 3.x the level says so, in MQTT 5 a bridge of ours does.
bool is_from_bridge(const mqtt::Connect& connect) {
  return connect.bridge || !mqtt::bridge_node(connect.user_properties).empty();
}

}  // namespace

// Fills in what does not come from the packet: names from certificates and exchanges, and ids from
// names. False: it was refused. What `connect` then views lives as long as packet and connection.
bool Front::read_connect(Connection& c, const mqtt::Frame& frame, mqtt::Connect& connect) {
  const mqtt::DecodeError error = mqtt::decode_connect(frame, connect);
  c.version = connect.version;
  c.packet_size_max = connect.maximum_packet_size;  // Where it is broken, if it came that far.
  if (error != mqtt::DecodeError::none) {
    ++counters_.refused_connects;
    const mqtt::ReasonCode reason = mqtt::reason_of(error);
    explain(c, Denial::Kind::protocol, {},
            fault_text(reason, mqtt::PacketType::connect, mqtt::text_of(error)));
    if (error == mqtt::DecodeError::unsupported_version || c.version == Version::v5) {
      refuse(c, reason, mqtt::text_of(error));
    } else {
      close(c);  // 3.x has no word for a malformed CONNECT.
    }
    return false;
  }
  if (connect.authentication_method && !c.peer.user_from_certificate) {
    // Where both are given they are the same, or begin_proving() refuses.
    const auto user = ScramServer::user_of(connect.authentication_data.value_or(BytesView{}));
    if (user && !connect.username) {
      if (!c.entrance) c.entrance = std::make_unique<Entrance>();
      c.entrance->claimed = *user;
      connect.username = BytesView{c.entrance->claimed};
    }
  }
  // A certificate that names its user is proof enough; what CONNECT says of one does not count.
  if (c.peer.user_from_certificate) connect.username = c.peer.user();
  if (c.peer.own_bridge) connect.username = c.peer.user();
  c.client_id_assigned = connect.client_id.empty();
  const ClientIdRule ids = c.peer.own_bridge ? ClientIdRule{} : gate_.client_ids(c.peer.listener);
  if (ids.from == From::user) connect.client_id = connect.username.value_or(BytesView{});
  if (ids.from == From::common_name) connect.client_id = c.peer.common_name();
  return true;
}

// False: another shard has the client's lane, and gets the connection with this packet in front.
bool Front::on_connect(Connection& c, const mqtt::Frame& frame) {
  mqtt::Connect connect;
  if (!read_connect(c, frame, connect)) return true;
  if (c.peer.refusal != ReasonCode::success) {
    const bool full = c.peer.refusal == ReasonCode::quota_exceeded;
    refuse(c, c.peer.refusal, full ? "there are too many connections" : BytesView{});
    return true;
  }
  const auto hands_over = [&] {
    if (connect.client_id.empty()) return false;
    const std::uint16_t shard = settings_.shard_of_lane(cluster::lane_of(connect.client_id));
    if (shard == settings_.shard) return false;
    const ConnectionId id = c.id;
    output_.hand_overs.push_back({id, shard, std::move(c.peer)});
    deadlines_.cancel(id);
    connections_.erase(id);
    return true;
  };
  if (hands_over()) return false;
  if (connect.authentication_method) {
    begin_proving(c, connect, frame);
    return true;
  }
  const Admission admission = ask(c, connect);
  take_proved_name(gate_.client_ids(c.peer.listener), admission, connect);
  if (hands_over()) return false;
  if (admission.verdict != Admission::Verdict::later) {
    enter(c, connect, frame, admission);
    return true;
  }
  Application application{c.id,
                          c.peer.listener,
                          std::nullopt,
                          Bytes{connect.password.value_or(BytesView{})},
                          Bytes{connect.client_id},
                          c.peer.address};
  if (connect.username) application.user = Bytes{*connect.username};
  output_.applications.push_back(std::move(application));
  hold(c, frame, Connection::State::judging);
  return true;
}

Admission Front::ask(const Connection& c, const mqtt::Connect& connect) const {
  if (c.peer.own_bridge) return {Admission::Verdict::admitted};
  if (!c.peer.user_from_certificate) {
    return gate_.admit(
        {c.peer.listener, connect.username, connect.password.value_or(BytesView{}), wall_});
  }
  if (!c.peer.user().empty()) return {Admission::Verdict::admitted};
  return {Admission::Verdict::refused, "its certificate names no user"};
}

// Keeps the packet: what follows it on the wire waits, or belongs to the exchange.
void Front::hold(Connection& c, const mqtt::Frame& frame, Connection::State state) {
  if (!c.entrance) c.entrance = std::make_unique<Entrance>();
  c.entrance->held = frame.body;
  c.state = state;
}

void Front::enter_held(Connection& c, const Admission& admission) {
  const Bytes held = std::exchange(c.entrance->held, {});
  const mqtt::Frame frame{static_cast<std::uint8_t>(mqtt::PacketType::connect) << 4, held,
                          1 + mqtt::varint_size(held.size()) + held.size()};
  mqtt::Connect connect;
  if (!read_connect(c, frame, connect)) return;
  take_proved_name(gate_.client_ids(c.peer.listener), admission, connect);
  // A reload may have changed where ids come from, and with it the lane.
  const bool is_here =
      connect.client_id.empty() ||
      settings_.shard_of_lane(cluster::lane_of(connect.client_id)) == settings_.shard;
  enter(c, connect, frame,
        is_here ? admission : Admission{Admission::Verdict::busy, "a reload moved its id"});
}

void Front::on_admission(ConnectionId id, const Admission& admission) {
  Connection* const c = find(id);
  if (c == nullptr || c->state != Connection::State::judging || c->rights_open != 0) return;
  enter_held(*c, admission);
}

void Front::give_up(Connection& c) {
  if (c.state == Connection::State::judging) {
    ++counters_.refused_connects;
    refuse(c, ReasonCode::server_busy);
  } else if (c.state != Connection::State::attaching) {
    if (c.peer.refusal == ReasonCode::success) {
      denials_.turn_away(Denial::Kind::late, c.peer.address, now_);
    }
    close(c);
  }
}

void Front::enter(Connection& c, mqtt::Connect& connect, const mqtt::Frame& frame,
                  const Admission& admission) {
  NotOffered verdict{judge(c, connect, admission), {}};
  if (verdict.reason == ReasonCode::success && connect.will) {
    if (!knows_right(c, Denial::Kind::publish, connect.will->topic)) {
      hold(c, frame, Connection::State::judging);
      c.entrance->admission = admission;
      return;
    }
    verdict = judge_will(c, connect);
  }
  if (verdict.reason == ReasonCode::success) return attach(c, connect);
  ++counters_.refused_connects;
  refuse(c, verdict.reason, verdict.why);
}

mqtt::ReasonCode Front::judge(Connection& c, mqtt::Connect& connect, const Admission& admission) {
  const ClientIdRule ids = gate_.client_ids(c.peer.listener);
  const bool chosen = ids.from == From::client;  // By the client itself.
  if (connect.client_id.empty() && chosen && !connect.clean_start && c.version != Version::v5) {
    return ReasonCode::client_identifier_not_valid;
  }
  if (connect.client_id.empty() && chosen && c.version == Version::v3_1) {
    return ReasonCode::client_identifier_not_valid;
  }
  if (connect.client_id.size() > limits::client_id_bytes) {
    return ReasonCode::client_identifier_not_valid;
  }
  c.client_id = connect.client_id;
  c.identity = connect.username.value_or(BytesView{});
  c.is_bridge = is_from_bridge(connect);
  if (c.peer.own_bridge) return ReasonCode::success;
  if (std::ranges::find(settings_.bridge_clients, c.client_id) != settings_.bridge_clients.end()) {
    explain(c, Denial::Kind::connect, {}, "its client id belongs to a bridge of this broker");
    return ReasonCode::client_identifier_not_valid;
  }
  if (!admission.is_admitted()) {
    if (admission.failed) ++counters_.failed_access_calls;
    explain(c, Denial::Kind::connect, {}, admission.why);
    if (admission.verdict == Admission::Verdict::busy) return ReasonCode::server_busy;
    if (admission.failed) return ReasonCode::server_unavailable;  // Its password may be right.
    const bool proved = connect.username || connect.password;
    return proved ? ReasonCode::bad_user_name_or_password : ReasonCode::not_authorized;
  }
  if (!admission.user.empty()) c.identity = admission.user;
  if (!c.peer.user_from_certificate) c.set_proof(admission.proof);
  if (admission.acl || admission.ends_at != 0) {
    c.grants().token_acl = admission.acl;
    c.grants().end_at = admission.ends_at;
  }
  // A reload may have gone by while it was judged.
  if (c.judged && !gate_.still_admits(c.peer.listener, c.identity, c.proof)) {
    explain(c, Denial::Kind::connect, {}, "it would not be let in any more after the reload");
    return ReasonCode::bad_user_name_or_password;
  }
  const char* const source = ids.from == From::user ? "user names" : "common names of certificates";
  const bool nameless = !chosen && connect.client_id.empty();
  if (nameless || !connect.client_id.starts_with(ids.prefix)) {
    explain(c, Denial::Kind::connect, {},
            nameless ? Bytes{"client ids come from "} + source + ", and it has none"
                     : "its client id does not begin with '" + ids.prefix + "'");
    return ReasonCode::not_authorized;
  }
  c.acl = gate_.acl_of(c.peer.listener);
  c.asks_rights = gate_.asks_rights(c.peer.listener);
  learn_claims(c, admission.claims);
  learn_certificate(c);
  return ReasonCode::success;
}

void Front::attach(Connection& c, const mqtt::Connect& connect) {
  c.client_id =
      connect.client_id.empty() ? new_client_id(settings_, rng_) : Bytes{connect.client_id};
  c.lane = cluster::lane_of(c.client_id);
  c.wants_response_information = connect.request_response_information;
  c.requested_keep_alive_s = connect.keep_alive;
  c.keep_alive_s = connect.keep_alive;
  const bool capped = settings_.max_keep_alive_s != 0 && settings_.max_keep_alive_s != 65'535;
  if (c.version == Version::v5 && capped &&
      (c.keep_alive_s == 0 || c.keep_alive_s > settings_.max_keep_alive_s)) {
    c.keep_alive_s = settings_.max_keep_alive_s;
  }
  c.receive_maximum = connect.receive_maximum;
  if (c.version == Version::v5) {
    c.wants_reasons = connect.request_problem_information;
    c.aliases = {settings_.topic_aliases_in,
                 std::min(connect.topic_alias_maximum, settings_.topic_aliases_out)};
  }
  // 3.x: a session that is not clean has no end of its own.
  c.requested_expiry_s = c.version == Version::v5 ? connect.session_expiry_interval
                         : connect.clean_start    ? 0
                                                  : never_expires;
  c.granted_expiry_s = std::min(c.requested_expiry_s, settings_.session_expiry_max_s);
  c.expiry_was_zero = c.requested_expiry_s == 0;
  c.window.set_size(std::min(c.receive_maximum, settings_.max_inflight));
  c.state = Connection::State::attaching;

  hop::Attach attach;
  attach.connection = c.id;
  attach.client_id = c.client_id;
  attach.identity = c.identity;
  attach.address = c.peer.address;
  attach.protocol = static_cast<std::uint8_t>(c.version);
  attach.clean_start = connect.clean_start;
  attach.expiry_s = c.granted_expiry_s;
  attach.receive_maximum = c.receive_maximum;
  attach.keep_alive_s = c.keep_alive_s;
  if (connect.will) attach.will = will_row(c, *connect.will);
  output_.hops[settings_.shard].emplace_back(std::move(attach));
}

void Front::refuse(Connection& c, ReasonCode reason, BytesView text) {
  const std::size_t before = c.output.size();
  write_connack_refusal(c, reason, text);
  end_if_too_large(c, before);
  close(c);
}

void Front::on(const hop::Attached& attached) {
  Connection* const c = find(attached.connection);
  if (c == nullptr || c->state != Connection::State::attaching) return;
  if (attached.result != hop::AttachResult::accepted) {
    ++counters_.refused_connects;
    if (attached.result != hop::AttachResult::wrong_identity) {
      return refuse(*c, ReasonCode::quota_exceeded, not_stored);
    }
    explain(*c, Denial::Kind::connect, {}, "the session belongs to another user");
    return refuse(*c, ReasonCode::not_authorized);
  }
  ++counters_.connects;
  c->session = attached.session;
  c->epoch = attached.epoch;
  mqtt::Connack packet;
  packet.session_present = attached.session_present;
  if (c->client_id_assigned) packet.assigned_client_id = c->client_id;
  if (c->by_scram) {
    packet.authentication_method = scram_method;
    packet.authentication_data = c->entrance->answer;
  }
  if (c->keep_alive_s != c->requested_keep_alive_s) packet.server_keep_alive = c->keep_alive_s;
  if (c->granted_expiry_s != c->requested_expiry_s) {
    packet.session_expiry_interval = c->granted_expiry_s;
  }
  packet.receive_maximum = settings_.receive_maximum;
  packet.maximum_packet_size = settings_.max_packet_size;
  packet.topic_alias_maximum = settings_.topic_aliases_in;
  Bytes response_information;
  if (c->wants_response_information) {
    response_information = with_client_id(settings_.response_information, c->client_id);
  }
  packet.response_information = response_information;
  packet.maximum_qos = c->peer.max_qos;
  packet.retain_available = settings_.retain_available;
  Bytes properties;
  if (c->is_bridge) {
    mqtt::append_user_property(properties, mqtt::bridge_property, mqtt::node_text(settings_.node));
    packet.user_properties = mqtt::UserProperties{properties};
  }
  const std::size_t before = c->output.size();
  mqtt::encode(packet, c->version, c->output);
  end_if_too_large(*c, before);
  if (c->state == Connection::State::closing) return;
  c->state = Connection::State::live;
  touch(*c);
  c->entrance.reset();
  if (!c->peer.own_bridge) throttle_.fit(c->rate, now_);
  c->last_received = now_;
  watch(*c);
  output_.resumed.push_back(c->id);
}

void Front::on(const hop::Evict& evict) {
  Connection* const c = find(evict.connection);
  if (c != nullptr) end(*c, static_cast<ReasonCode>(evict.reason));
}

}  // namespace naru::broker
