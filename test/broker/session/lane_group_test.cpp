// test/broker/session/lane_group_test.cpp
//
// Goal: a group lends each message to one member at a time, keeps it until that member has it, and
// says PUBREL only when that is on disk. Method: the lanes of one shard out of two; the members are
// on the other shard, so that every word to them lies open in the output.

#include <catch2/catch.hpp>

#include "test/broker/session/half_shard.hpp"

namespace naru::broker {
namespace {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

constexpr ConnectionId clean_one = std::uint64_t{1} << 48 | 1;
constexpr ConnectionId clean_two = std::uint64_t{1} << 48 | 2;
constexpr SessionNumber kept_session = 77;

// A group whose lane the shard leads.
Bytes group_here() {
  Bytes name = "$share/g";
  while (lane_of_group(name + "/t") % 2 != 0) name.push_back('x');
  return name + "/t";
}

MessageRef message(std::uint64_t number, std::uint8_t qos) {
  MessageView view;
  view.origin.number = number;
  view.qos = qos;
  view.topic = "t";
  const Bytes payload = std::to_string(number);
  view.payload = payload;
  return Message::make(view);
}

class Bench : public test::HalfShard {
 public:
  hop::GroupMember member(ConnectionId connection, std::uint8_t options = 2) const {
    return {group,
            Route::Kind::connection,
            1,
            connection,
            MemberState::connected,
            options,
            0,
            10,
            connection,
            5};
  }
  // A session whose lane the other shard leads.
  hop::GroupMember kept() const {
    hop::GroupMember session = member(0);
    session.kind = Route::Kind::session;
    session.owner = kept_session;
    session.reply = 0;
    return session;
  }
  void join(ConnectionId connection, std::uint8_t options = 2) {
    take(member(connection, options));
    commit();
  }
  // With room for one message.
  void join_narrow(ConnectionId connection) {
    hop::GroupMember narrow = member(connection);
    narrow.window = 1;
    take(narrow);
    commit();
  }
  void leave(ConnectionId connection) {
    hop::GroupMember word = member(connection);
    word.state = MemberState::left;
    word.reply = 0;
    take(word);
  }
  Session& queue_session() {
    return *core.lanes().lane(lane).find_client(group_client_id(group))->session;
  }
  bool is_there() { return core.lanes().lane(lane).find_client(group_client_id(group)) != nullptr; }
  void publish(std::uint64_t number, std::uint8_t qos, bool once = false) {
    hop::PublishTo publish{Carried{message(number, qos)}, {}, once, {1, 42, {}, 0}};
    publish.deliveries = {{Route::Kind::session, lane, queue_session().number, qos, {}}};
    take(publish);
  }
  // The lends so far, without those that are followed by more.
  std::vector<hop::GroupLend> lent() { return told<hop::GroupLend>(); }
  void answer(const hop::GroupLend& lend, AnswerKind kind) {
    take(hop::GroupAnswer{lend.place, kind, lend.connection, 9, 0, 0, 0});
  }
  void later() {
    now = now + Seconds{1};
    core.begin_turn(now, 2'000, 2'000);
    core.end_turn();
  }

  const Bytes group = group_here();
  const LaneId lane = lane_of_group(group);
  Instant now{};
};

}  // namespace

TEST_CASE("A group is on disk and has its route before its first member is told",
          "[group][MQTT-4.8.2]") {
  Bench bench;
  bench.take(bench.member(clean_one));
  CHECK(bench.told<hop::GroupJoined>().empty());
  CHECK(bench.routes.size() == 0);
  bench.commit();
  CHECK(bench.told<hop::GroupJoined>().size() == 1);
  CHECK(bench.routes.size() == 1);
}

TEST_CASE("A group whose record finds no room is made later", "[group]") {
  Bench bench;
  bench.take(bench.member(clean_one));
  bench.commit(Errc::no_space);
  CHECK(bench.told<hop::GroupJoined>().empty());
  bench.later();
  bench.commit();
  CHECK(bench.told<hop::GroupJoined>().size() == 1);
}

TEST_CASE("Who leaves or joins while a group cannot be made is heard in order", "[group]") {
  Bench bench;
  bench.take(bench.member(clean_one));
  bench.commit(Errc::no_space);
  bench.take(bench.member(clean_two));
  bench.commit(Errc::no_space);
  bench.leave(clean_one);
  bench.later();
  bench.commit();
  CHECK(bench.told<hop::GroupJoined>().size() == 2);
  CHECK(bench.queue_session().group->size() == 1);
}

TEST_CASE("Members take turns, and who has gone is left out", "[group]") {
  Bench bench;
  bench.join(clean_one);
  bench.join(clean_two);
  for (std::uint64_t number = 1; number <= 4; ++number) bench.publish(number, 1);
  bench.commit();
  const auto lends = bench.lent();
  REQUIRE(lends.size() == 4);
  CHECK(lends[0].connection != lends[1].connection);
  CHECK(lends[0].connection == lends[2].connection);
  bench.leave(clean_one);
  bench.publish(5, 1);
  bench.commit();
  const auto later = bench.lent();
  REQUIRE(later.size() == 1);
  CHECK(later[0].connection == clean_two);
}

TEST_CASE("What is given back goes to another member, before newer messages", "[group]") {
  Bench bench;
  bench.join(clean_one);
  for (std::uint64_t number = 1; number <= 11; ++number) bench.publish(number, 1);
  bench.commit();
  auto lends = bench.lent();
  REQUIRE(lends.size() == 10);  // Its window.
  bench.join(clean_two);
  REQUIRE(bench.lent().size() == 1);
  bench.leave(clean_one);
  bench.answer(lends[3], AnswerKind::returned);
  const auto again = bench.lent();
  REQUIRE(again.size() == 1);
  CHECK(again[0].connection == clean_two);
  CHECK(again[0].place.number == lends[3].place.number);
  CHECK(again[0].message.message->view().payload == "4");
}

TEST_CASE("PUBREL follows when it is on disk that no other member gets the message",
          "[group][MQTT-4.3.3]") {
  Bench bench;
  bench.join(clean_one);
  bench.publish(1, 2);
  bench.commit();
  const auto lends = bench.lent();
  REQUIRE(lends.size() == 1);
  bench.answer(lends[0], AnswerKind::received);
  CHECK(bench.told<hop::GroupTaken>().empty());
  bench.commit(Errc::no_space);
  CHECK(bench.told<hop::GroupTaken>().empty());
  bench.later();
  bench.commit();
  CHECK(bench.told<hop::GroupTaken>().size() == 1);
  // Asked again, and by somebody whose group has gone.
  bench.answer(lends[0], AnswerKind::received);
  CHECK(bench.told<hop::GroupTaken>().size() == 1);
  bench.answer(lends[0], AnswerKind::returned);
  CHECK(bench.lent().empty());
  bench.leave(clean_one);
  bench.commit();
  CHECK_FALSE(bench.is_there());
  bench.answer(lends[0], AnswerKind::received);
  CHECK(bench.told<hop::GroupTaken>().size() == 1);
}

TEST_CASE("Who waits for PUBREL gets it though the group ends", "[group][MQTT-4.3.3]") {
  Bench bench;
  bench.join(clean_one);
  bench.publish(1, 2);
  bench.publish(2, 2);
  bench.commit();
  const auto lends = bench.lent();
  REQUIRE(lends.size() == 2);
  bench.answer(lends[0], AnswerKind::received);
  bench.answer(lends[1], AnswerKind::received);  // The cursor with the first is on its way.
  bench.leave(clean_one);
  bench.commit();
  CHECK_FALSE(bench.is_there());
  CHECK(bench.told<hop::GroupTaken>().size() == 2);
}

TEST_CASE("A message no member is fit for is dropped once all were asked", "[group]") {
  Bench bench;
  bench.join(clean_one);
  bench.join(clean_two);
  bench.publish(1, 1);
  bench.commit();
  auto lends = bench.lent();
  REQUIRE(lends.size() == 1);
  bench.answer(lends[0], AnswerKind::unfit);
  const auto other = bench.lent();
  REQUIRE(other.size() == 1);
  CHECK(other[0].connection != lends[0].connection);
  bench.answer(other[0], AnswerKind::unfit);
  CHECK(bench.lent().empty());
  CHECK(bench.queue_session().queue.size() == 0);
  CHECK(bench.core.counters().dropped_unfit == 1);
}

TEST_CASE("What one member cannot take waits for another that has no room, and newer passes it",
          "[group]") {
  Bench bench;
  bench.join(clean_one);
  bench.join_narrow(clean_two);
  bench.publish(1, 1);
  bench.publish(2, 1);
  bench.commit();
  const auto lends = bench.lent();
  REQUIRE(lends.size() == 2);
  const bool first_to_one = lends[0].connection == clean_one;
  const auto& of_one = lends[first_to_one ? 0 : 1];
  const auto& of_two = lends[first_to_one ? 1 : 0];
  bench.answer(of_one, AnswerKind::unfit);
  CHECK(bench.lent().empty());
  bench.publish(3, 1);
  bench.commit();
  const auto newer = bench.lent();
  REQUIRE(newer.size() == 1);
  CHECK(newer[0].connection == clean_one);
  CHECK(newer[0].place.number != of_one.place.number);
  bench.answer(of_two, AnswerKind::done);
  const auto again = bench.lent();
  REQUIRE(again.size() == 1);
  CHECK(again[0].connection == clean_two);
  CHECK(again[0].place.number == of_one.place.number);
}

TEST_CASE("What only a member could take that has left is dropped and counted", "[group]") {
  Bench bench;
  bench.join(clean_one);
  bench.join_narrow(clean_two);
  for (std::uint64_t number = 1; number <= 2; ++number) bench.publish(number, 1);
  bench.commit();
  for (const auto& lend : bench.lent()) {
    if (lend.connection == clean_one) bench.answer(lend, AnswerKind::unfit);
  }
  bench.leave(clean_two);
  bench.commit();
  CHECK(bench.core.counters().dropped_unfit == 1);
}

TEST_CASE("A member's session that comes back may take what it could not before", "[group]") {
  Bench bench;
  bench.join(clean_one);
  hop::GroupMember kept = bench.kept();
  bench.take(kept);
  bench.commit();
  bench.publish(1, 1);
  bench.publish(2, 1);
  bench.commit();
  const auto lends = bench.told<hop::PublishTo>();
  REQUIRE(lends.size() == 1);
  const GroupPlace place = place_of(lends[0].message.message->view().origin);
  bench.take(hop::GroupAnswer{place, AnswerKind::unfit, 0, 0, 0, 0, 0});
  const auto other = bench.lent();
  REQUIRE(other.size() == 1);
  CHECK(other[0].place.number == place.number);
  for (const MemberState state : {MemberState::away, MemberState::connected}) {
    kept.state = state;
    bench.take(kept);
  }
  bench.answer(other[0], AnswerKind::returned);
  const auto again = bench.told<hop::PublishTo>();
  REQUIRE(again.size() == 1);
  CHECK(place_of(again[0].message.message->view().origin).number == place.number);
}

TEST_CASE("A QoS 2 publish that comes again is in the group's queue once", "[group]") {
  Bench bench;
  bench.join(clean_one);
  bench.publish(7, 2, true);
  bench.commit();
  bench.publish(7, 2, true);
  bench.commit();
  CHECK(bench.lent().size() == 1);
}

TEST_CASE("A member's session that finds no room gives the message back for a later try",
          "[group]") {
  Bench bench;
  hop::GroupMember kept = bench.kept();
  bench.take(kept);
  bench.commit();
  bench.publish(1, 1);
  bench.commit();
  auto sent = bench.told<hop::PublishTo>();
  REQUIRE(sent.size() == 1);
  REQUIRE(sent[0].deliveries.size() == 1);
  CHECK((sent[0].deliveries[0].options & lent_flag) != 0);
  const GroupPlace place = place_of(sent[0].message.message->view().origin);
  CHECK(place.lane == bench.lane);
  CHECK(place.group == bench.queue_session().number);
  bench.take(hop::GroupAnswer{place, AnswerKind::failed, 0, 0, 0, 0, 0});
  CHECK(bench.told<hop::PublishTo>().empty());
  bench.later();
  CHECK(bench.told<hop::PublishTo>().size() == 1);
}

TEST_CASE("The place of a lent message can be read from its name", "[group]") {
  const GroupPlace place{0xfe, 0x10000000005, 70'000};
  const GroupPlace read = place_of(origin_of(place));
  CHECK(read.lane == place.lane);
  CHECK(read.group == place.group);
  CHECK(read.number == place.number);
}

}  // namespace naru::broker
