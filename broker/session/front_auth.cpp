// Front's part that lets clients prove their passwords by SCRAM-SHA-256, at CONNECT and again while
// they are connected. Spec: MQTT 5.0 section 4.12.

#include <utility>

#include "broker/session/answers.hpp"
#include "broker/session/front.hpp"

namespace naru::broker {

using mqtt::PacketType;

namespace {

constexpr BytesView out_of_turn = "its method is another than in CONNECT, or its turn has not come";

Bytes fault_of(const ScramDialogue& dialogue) {
  return dialogue.proof == 0 ? "the user has no line for SCRAM in password_file"
                             : "its proof is wrong";
}

void write_auth(Connection& c, mqtt::ReasonCode reason, BytesView text) {
  mqtt::Auth packet;
  packet.reason = reason;
  packet.method = scram_method;
  packet.data = text;
  mqtt::encode(packet, c.version, c.output);
}

}  // namespace

// Nothing: the message is malformed, or SCRAM is not offered.
std::optional<Bytes> Front::challenge(Connection& c, BytesView client_first) {
  auto user = ScramServer::user_of(client_first);
  if (!user) return std::nullopt;
  auto account = gate_.scram_account(c.peer.listener, *user);
  if (!account) return std::nullopt;
  c.scram = std::make_unique<ScramDialogue>();
  c.scram->user = std::move(*user);
  c.scram->proof = account->proof;
  return c.scram->server.challenge(client_first, std::move(account->keys), account->nonce);
}

// ---- before CONNACK ----------------------------------------------------------------------------

void Front::refuse_proving(Connection& c, ReasonCode reason, Bytes why) {
  ++counters_.refused_connects;
  const bool broken =
      reason == ReasonCode::protocol_error || reason == ReasonCode::malformed_packet;
  if (broken) ++counters_.protocol_errors;
  explain(c, broken ? Denial::Kind::protocol : Denial::Kind::connect, {}, std::move(why));
  refuse(c, reason);
}

void Front::begin_proving(Connection& c, const mqtt::Connect& connect, const mqtt::Frame& frame) {
  c.client_id = connect.client_id;
  c.identity = connect.username.value_or(BytesView{});
  const BytesView text = connect.authentication_data.value_or(BytesView{});
  const auto user = ScramServer::user_of(text);
  constexpr const char* not_offered =
      "its authentication method is not offered: SCRAM-SHA-256 is where 'naru passwd --scram' has "
      "written a line";
  const bool offered = *connect.authentication_method == scram_method &&
                       !c.peer.user_from_certificate &&
                       gate_.scram_account(c.peer.listener, user.value_or(Bytes{})).has_value();
  if (!offered) return refuse_proving(c, ReasonCode::bad_authentication_method, not_offered);
  if (!user) {
    return refuse_proving(c, ReasonCode::not_authorized, "its SCRAM message is malformed");
  }
  if (connect.username != BytesView{*user}) {
    return refuse_proving(c, ReasonCode::not_authorized,
                          "its user name is another than the one it would prove");
  }
  const auto answer = challenge(c, text);  // None: a reload has just gone by.
  if (!answer) return refuse_proving(c, ReasonCode::bad_authentication_method, not_offered);
  c.by_scram = true;
  hold(c, frame, Connection::State::proving);
  write_auth(c, ReasonCode::continue_authentication, *answer);
  touch(c);
}

void Front::handle_proving(Connection& c, const mqtt::Frame& frame) {
  if (mqtt::type_of(frame) == PacketType::disconnect) return close(c);
  const auto refuse_packet = [&](ReasonCode reason, BytesView what) {
    refuse_proving(c, reason, fault_text(reason, mqtt::type_of(frame), what));
  };
  if (mqtt::type_of(frame) != PacketType::auth) {
    return refuse_packet(ReasonCode::protocol_error, "AUTH has to come before it");
  }
  mqtt::Auth auth;
  const mqtt::DecodeError error = mqtt::decode_auth(frame, c.version, auth);
  if (error != mqtt::DecodeError::none)
    return refuse_packet(mqtt::reason_of(error), mqtt::text_of(error));
  if (auth.reason != ReasonCode::continue_authentication || auth.method != scram_method) {
    return refuse_packet(ReasonCode::protocol_error, out_of_turn);
  }
  const std::unique_ptr<ScramDialogue> dialogue = std::move(c.scram);
  auto answer = dialogue->server.verify(auth.data.value_or(BytesView{}));
  if (!answer) return refuse_proving(c, ReasonCode::not_authorized, fault_of(*dialogue));
  c.entrance->answer = std::move(*answer);
  Admission admission{Admission::Verdict::admitted};
  admission.proof = dialogue->proof;
  enter_held(c, admission);
}

// ---- again, while it is connected --------------------------------------------------------------

void Front::on_auth(Connection& c, const mqtt::Frame& frame) {
  mqtt::Auth auth;
  const mqtt::DecodeError error = mqtt::decode_auth(frame, c.version, auth);
  if (error != mqtt::DecodeError::none) return fail(c, frame, error);
  const bool same_method = c.by_scram && auth.method == scram_method;
  const bool begins = auth.reason == ReasonCode::re_authenticate;
  const bool goes_on = auth.reason == ReasonCode::continue_authentication;
  const bool expected = c.scram ? goes_on : begins;
  if (!same_method || !expected) {
    return break_off(c, ReasonCode::protocol_error, PacketType::auth, out_of_turn);
  }
  const BytesView text = auth.data.value_or(BytesView{});
  if (begins) {
    const auto answer = challenge(c, text);
    if (answer && c.scram->user == c.identity) {
      write_auth(c, ReasonCode::continue_authentication, *answer);
      return touch(c);
    }
    explain(c, Denial::Kind::connect, {},
            answer ? "it would prove another user than it is" : "its SCRAM message is malformed");
    return end(c, ReasonCode::not_authorized);
  }
  const std::unique_ptr<ScramDialogue> dialogue = std::move(c.scram);
  const auto answer = dialogue->server.verify(text);
  if (!answer) {
    explain(c, Denial::Kind::connect, {}, fault_of(*dialogue));
    return end(c, ReasonCode::not_authorized);
  }
  c.set_proof(dialogue->proof);
  write_auth(c, ReasonCode::success, *answer);
  touch(c);
}

}  // namespace naru::broker
