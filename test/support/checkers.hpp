// test/support/checkers.hpp
//
// The promises of the broker as pure functions: history in, violations out. A violation names
// the checker, the message and the session, and shows the lines of the history that prove it.
// An unknown outcome (no acknowledgement came) may or may not show up: never a violation.
//
// Sans-IO, pure. Lives on any thread. Owned by nobody; a Timeline must outlive the call.
// Bounded by: each checker reports its first violations in full and counts the others.
//
// What a run must do so that the history says enough:
//   - record broker_crash / broker_power_loss BEFORE the fault is set off;
//   - record drained for a session only after it waited for everything due to it;
//   - subscribe without retain-as-published: a set retain flag means "stored copy".
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/history.hpp"

namespace naru::test {

struct Violation {
  std::string checker;
  std::string text;
};
using Violations = std::vector<Violation>;

// Acknowledged (PUBACK; PUBCOMP; PUBREC to a publisher whose session lived on) and subscribed
// before it was sent, in a session that drained and was neither limited, left nor ended: received.
Violations check_acked_delivery(const Timeline& run);
// A QoS 2 message reaches the application of a session at most once, told apart by packet id.
Violations check_exactly_once(const Timeline& run);
// What arrives was published before, to that topic, unaltered, not above its QoS, and is wanted.
Violations check_no_invention(const Timeline& run);
// First deliveries of one publisher session, topic and QoS ascend in each subscriber session; on
// one connection so do all copies of messages that were sent once. Members of groups are left out,
// here and for duplicates: what another one leaves comes to them late and again.
Violations check_order(const Timeline& run);
// Another copy of a QoS 1 message is the same delivery again (same packet id, after a reconnect
// or with DUP), or the publisher sent it again.
Violations check_duplicates(const Timeline& run);
// session_present is what the history implies; a resumed session gets no retained replay.
Violations check_session_state(const Timeline& run);
// The will of a connection appears once where it was due, and never where it was cancelled.
Violations check_wills(const Timeline& run);
// Who reads retained messages in quiet finds, per topic, a value nothing acknowledged replaced.
Violations check_retained(const Timeline& run);
// Of a group's messages each reaches a member, where there was one that lasts all the time; with
// QoS 2 one alone, and others who stay connected not a second time; in order for each member until
// somebody gives one back. What members took with them is excused by count.
Violations check_groups(const Timeline& run);
// Never more unacknowledged messages than the client's Receive Maximum; no packet id twice.
Violations check_bounds(const Timeline& run);
// What a client itself recorded as forbidden.
Violations check_protocol(const Timeline& run);

struct Checker {
  std::string_view name;
  Violations (*check)(const Timeline&);
};
std::span<const Checker> all_checkers();
Violations check_all(const History& history);

// Figures of a run, for its closing line.
struct Summary {
  std::size_t sent = 0, acked = 0, received = 0, duplicates = 0, unknown = 0;
};
Summary summarize(const Timeline& run);

}  // namespace naru::test
