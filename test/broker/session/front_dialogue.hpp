// test/broker/session/front_dialogue.hpp
//
// One connection to one shard's core, with a gate that says what a test wants: packets go in, and
// what the broker said comes out in words.
//
// Sans-IO. Lives on one thread. Owned by the test. Bounded by the dialogue.
#pragma once

#include <algorithm>

#include <catch2/catch.hpp>

#include "broker/mqtt/encoder.hpp"
#include "broker/session/shard_core.hpp"
#include "storage/base/base64.hpp"

namespace naru::broker::dialogue {

using Verdict = Admission::Verdict;
using mqtt::PacketType;
using mqtt::ReasonCode;

inline constexpr ConnectionId id = 1;
inline constexpr BytesView scram = "SCRAM-SHA-256";

class ScriptedGate final : public Gate {
 public:
  Admission admit(const Applicant&) const override { return admission; }
  std::optional<ScramAccount> scram_account(ListenerNumber, BytesView) const override {
    if (!offers_scram) return std::nullopt;
    return ScramAccount{make_scram_keys("pencil", *decode_base64("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096),
                        7, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"};
  }
  ClientIdRule client_ids(ListenerNumber) const override { return ids; }
  bool still_admits(ListenerNumber, BytesView, std::uint64_t) const override { return admits; }
  std::shared_ptr<const Acl> acl_of(ListenerNumber) const override { return acl; }
  bool asks_rights(ListenerNumber) const override { return asks; }
  bool admits_will(const AclSubject&, BytesView) const override { return true; }

  Admission admission{Verdict::later};
  ClientIdRule ids;
  bool admits = true, offers_scram = true, asks = false;
  std::shared_ptr<const Acl> acl;
};

// Type, reason and authentication data of a packet.
struct Said {
  PacketType type{};
  ReasonCode reason = ReasonCode::success;
  Bytes data;
};

struct Shard {
  Shard() {
    begin();
    core.front().opened(id, {"10.0.0.1:5", 0});
    core.end_turn();
  }
  void begin() { core.begin_turn(now, 0, 0); }
  template <class Input>
  void turn(Input&& input) {
    begin();
    input();
    core.end_turn();
  }
  std::size_t hear(BytesView bytes) {
    std::size_t taken = 0;
    turn([&] { taken = core.front().receive(id, bytes); });
    return taken;
  }
  void answer(const Admission& admission) {
    turn([&] { core.front().on_admission(id, admission); });
  }
  bool is_closing() {
    const auto& closing = core.output().closing;
    return std::ranges::find(closing, id) != closing.end();
  }
  // The packets since the last call.
  std::vector<Said> said() {
    Bytes* const output = core.front().output(id);
    const Bytes bytes = output == nullptr ? Bytes{} : std::exchange(*output, {});
    std::vector<Said> list;
    BytesView rest = bytes;
    mqtt::Frame frame;
    while (mqtt::next_frame(rest, 0, frame) == mqtt::Framing::complete) {
      list.push_back(read(frame));
      rest.remove_prefix(frame.size);
    }
    CHECK(rest.empty());
    return list;
  }
  static Said read(const mqtt::Frame& frame) {
    Said one{mqtt::type_of(frame), ReasonCode::success, {}};
    if (one.type == PacketType::connack) {
      mqtt::Connack packet;
      REQUIRE(decode_connack(frame, mqtt::Version::v5, packet) == mqtt::DecodeError::none);
      one.reason = packet.reason;
      one.data = packet.authentication_data.value_or(BytesView{});
    } else if (one.type == PacketType::auth) {
      mqtt::Auth packet;
      REQUIRE(decode_auth(frame, mqtt::Version::v5, packet) == mqtt::DecodeError::none);
      one.reason = packet.reason;
      one.data = packet.data.value_or(BytesView{});
    } else if (one.type == PacketType::disconnect) {
      mqtt::Disconnect packet;
      REQUIRE(decode_disconnect(frame, mqtt::Version::v5, packet) == mqtt::DecodeError::none);
      one.reason = packet.reason;
    }
    return one;
  }
  Said said_one(PacketType type) {
    const auto list = said();
    REQUIRE(list.size() == 1);
    CHECK(list[0].type == type);
    return list[0];
  }

  Instant now{Duration{1'000'000}};
  FilterIndex routes;
  ScriptedGate gate;
  RuleSet rules;
  ShardCore core{ShardSettings{}, routes, gate, rules, Rng{1}};
};

inline Bytes connect_packet(std::optional<BytesView> method = {},
                            std::optional<BytesView> data = {},
                            std::optional<BytesView> user = {}) {
  mqtt::Connect packet;
  packet.client_id = "car1";
  packet.username = user;
  packet.authentication_method = method;
  packet.authentication_data = data;
  Bytes bytes;
  mqtt::encode(packet, bytes);
  return bytes;
}

inline Bytes ping() {
  Bytes bytes;
  mqtt::encode(mqtt::Pingreq{}, mqtt::Version::v5, bytes);
  return bytes;
}

}  // namespace naru::broker::dialogue
