// test/support/claims.hpp
//
// What a session may claim by its subscriptions, in how many copies, and what it got: the questions
// that several checkers ask of a Timeline.
//
// Sans-IO; free functions over a Timeline, which must outlive what they return.
#pragma once

#include <map>
#include <vector>

#include "test/support/checkers.hpp"

namespace naru::test {

using Places = std::map<MessageId, std::vector<std::size_t>>;  // In the history, by message.

bool wants(const Timeline& run, const Subscription& subscription, const Publish& publish,
           std::uint32_t client);
// In how many copies a session may get one publish: one for each overlapping subscription.
std::size_t copies_allowed(const Timeline& run, const Session& session, const Publish& publish);
// The subscription that entitles the session to a publish of that QoS; null if there is none.
const Subscription* entitling(const Timeline& run, const Session& session, const Publish& publish,
                              std::size_t sent);
// A crash or a power loss.
bool fault_between(const Timeline& run, std::size_t from, std::size_t to);
// Whether the disk was full at some time: what was refused then and sent again comes later.
bool disk_full_between(const Timeline& run, std::size_t from, std::size_t to);
// The deliveries of each message to a session; a delivery repeated under its own packet id after
// a reconnect or with DUP is still the same one.
Places deliveries(const Timeline& run, const Session& session);

}  // namespace naru::test
