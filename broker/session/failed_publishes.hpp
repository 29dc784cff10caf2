// broker/session/failed_publishes.hpp
//
// A publish that found no room fails, and whatever its publisher had sent behind it fails too: else
// a later message would overtake one that comes again. Once the client can know of the failure,
// what it sends next is taken. Publishers do not hold up one another.
//
//   front --publish, heard: newest failure passed on--> lanes --Committed, failed, its number-->
//   front
//
// FailedPublishers are the lanes' side: whose publish has failed, and as which failure of theirs.
// HeardFailures are the front's: which of them it has passed on. Failures are rare: without any
// both are empty, and asking costs nothing.
//
// Sans-IO. Each lives on one shard; not thread-safe. Bounded: 65,536 publishers; of more the one
// that failed longest ago is forgotten: the lanes may let its later messages overtake, and a front
// has its next message refused once more.
#pragma once

#include <cstdint>
#include <utility>

#include "broker/session/hop_values.hpp"
#include "storage/base/recent_map.hpp"

namespace naru::broker {

inline constexpr std::size_t failed_publishers_max = 32'768;  // Twice: RecentMap.

class FailedPublishers {
 public:
  // Gives the failure its number, from 1.
  std::uint64_t note(const PublisherId& publisher) {
    ++failures_;
    if (publisher.owner != 0) newest_.put(publisher) = failures_;
    return failures_;
  }
  // True: it was sent before its front had passed on a failure before it.
  bool is_behind(const ReplyTo& publish) {
    const std::uint64_t* const newest = newest_.find(publish.publisher);
    if (newest == nullptr || publish.number == 0) return false;
    if (*newest > publish.heard) return true;
    newest_.erase(publish.publisher);
    return false;
  }

 private:
  RecentMap<PublisherId, std::uint64_t> newest_{failed_publishers_max};
  std::uint64_t failures_ = 0;
};

class HeardFailures {
 public:
  // The lanes of that shard tell of a failure; the publish may wait for others yet.
  void hear(const PublisherId& publisher, std::uint16_t shard, std::uint64_t failure) {
    Heard& heard = heard_.put({publisher, shard});
    ++heard.open;
    heard.newest = failure;
  }
  // That publish is over, and its publisher is told.
  void pass_on(const PublisherId& publisher, std::uint16_t shard) {
    Heard* const heard = heard_.find({publisher, shard});
    if (heard != nullptr && heard->open > 0) --heard->open;
  }
  // For the next publish to that shard, which has to be sent: told once, it is forgotten.
  std::uint64_t tell(const PublisherId& publisher, std::uint16_t shard) {
    const Heard* const heard = heard_.find({publisher, shard});
    if (heard == nullptr || heard->open > 0) return 0;
    const std::uint64_t newest = heard->newest;
    heard_.erase({publisher, shard});
    return newest;
  }

 private:
  struct Heard {
    std::uint64_t newest = 0;
    std::uint32_t open = 0;  // Failures that are not passed on.
  };
  RecentMap<std::pair<PublisherId, std::uint16_t>, Heard> heard_{failed_publishers_max};
};

}  // namespace naru::broker
