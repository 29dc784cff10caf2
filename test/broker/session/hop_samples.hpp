// test/broker/session/hop_samples.hpp
//
// One hop of every kind, in the order of their tags, with no field left at its default: what the
// golden bytes are made from.
//
// Sans-IO; pure. Frozen with test/broker/session/hop_golden.txt: a new kind gets a new sample, an
// old sample never changes.
#pragma once

#include <vector>

#include "broker/session/hop.hpp"
#include "test/storage/tables/samples.hpp"

namespace naru::test {

inline std::vector<broker::Hop> sample_hops() {
  using namespace broker;  // NOLINT: the hops are the vocabulary of this function.
  const storage::MessageRef message = storage::Message::make(sample_view());
  const Carried carried{message};
  const ConnectionId connection = std::uint64_t{3} << 48 | 77;
  const SessionNumber session = 0x10000000002;
  const std::vector<storage::FilterRow> filters{{"a/+", 0x1d, 9}, {"#", 1, 0}};
  const storage::WillRow will{sample_message(), 30, 60};
  const ReplyTo reply{2, 900, {31, session}, 70'000};
  return {
      hop::Attach{connection, "car", "user", "10.0.0.1:5", 5, false, 60, 20, 30, will},
      hop::Detach{connection, "car", false, 0x82, 7},
      hop::Subscribe{31, connection, session, 513, filters, "\x01\x02"},
      hop::Unsubscribe{31, connection, session, 513, {"a/+", "#"}},
      hop::PublishTo{carried,
                     {{Route::Kind::session, 31, session, 6, {1, 200}},
                      {Route::Kind::connection, 2, connection, 1, {}}},
                     true,
                     reply},
      hop::QueueAck{31, session, 8, 513, hop::AckKind::pubcomp},
      hop::Receive{31, connection, session, 513, true, carried},
      hop::Release{31, connection, session, 513},
      hop::StreamAppend{31, "tele", "key", 1, "why", carried, true, reply},
      hop::RetainedPut{carried, reply},
      hop::RetainedQuery{connection, 31, session, filters, "a/b", 70'000},
      hop::CommandOffer{"car", connection},
      hop::CommandAcked{"car", "c1", true},
      hop::CommandReply{"car", "c1", storage::CommandState::failed, "{}", reply},
      hop::Attached{connection, hop::AttachResult::no_space, true, session, 8},
      hop::Evict{connection, 0x8e},
      hop::Subscribed{connection, 513, "\x01\x87", filters},
      hop::Unsubscribed{connection, 513, "\x11"},
      hop::QueueDeliver{connection, 8, 513, 6, true, carried, {1, 200}},
      hop::QueueRelease{connection, 513},
      hop::Received{connection, 513, true},
      hop::Completed{connection, 513, false},
      hop::Committed{900, 70'000, {31, session}, 3},
      hop::RetainedFound{connection,
                         31,
                         session,
                         {carried, carried},
                         {5, 2},
                         {9, 0},
                         {3, {connection, 31, session, filters, "a/b", 70'000}}},
      hop::CommandDeliver{connection, "c1", carried},
      hop::OriginForget{{0x0102030405060708, 300, 2, 70'000}},
      hop::RouteFence{3, 77'000},
      hop::FencePassed{77'000},
      hop::GroupMember{"$share/g/a/+", Route::Kind::session, 31, session, MemberState::left, 0x1a,
                       9, 20, connection, 513},
      hop::GroupJoined{connection, 513},
      hop::GroupLend{connection, {31, session, 7}, 6, carried, {1, 200}},
      hop::GroupAnswer{{31, session, 7}, AnswerKind::failed, connection, 513, 32, session + 1, 12},
      hop::GroupTaken{connection, 513, 32, session + 1, 12},
      hop::PublishLater{31, connection, session, 513, 9'000, carried, reply},
      hop::Refused{900},
      hop::RetainedRest{3, {connection, 31, session, filters, "a/b", 70'000}},
  };
}

}  // namespace naru::test
