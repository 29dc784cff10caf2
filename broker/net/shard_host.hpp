// broker/net/shard_host.hpp
//
// ShardHost is what a shard needs of the node it belongs to.
//
// Edge. Called by shards on their own threads, so every function may run on several at once.
// Owned by the composition root; must outlive the shards.
#pragma once

#include <vector>

#include "broker/net/mailbox.hpp"
#include "broker/session/connection_quota.hpp"
#include "broker/session/shard_core.hpp"

namespace naru::broker {

class PeerCertificate;

// Of a connection whose handshake failed, or (was_open) something behind it.
struct ChannelFailure {
  BytesView address;  // Without its port.
  BytesView why;
  bool was_open = false;
  const PeerCertificate* refused = nullptr;  // The client's, where that is why.
};

class ShardHost {
 public:
  virtual ~ShardHost() = default;
  virtual Instant now() const = 0;
  virtual StoreMillis store_now() const = 0;
  virtual WallMillis wall() const = 0;
  virtual void deliver(std::uint16_t shard, std::vector<Hop>& hops) = 0;
  virtual void hand_over(std::uint16_t shard, Handed handed) = 0;
  virtual void submit(std::uint16_t shard, std::vector<storage::CommitUnit>&& units) = 0;
  virtual void resume_commits(std::uint16_t shard) = 0;
  virtual void change_horizon(const std::vector<HorizonChange>& changes) = 0;
  // Fills fetched.messages from memory; false: not all of it is there.
  virtual bool read_cached(Fetched& fetched) = 0;
  // Reads on another thread, then calls Shard::post with the result.
  virtual void read_later(std::uint16_t shard, Fetch fetch) = 0;
  // Judges on another thread, then calls Shard::post with the answer.
  virtual void judge_later(std::uint16_t shard, Application application) = 0;
  virtual void ask_right(std::uint16_t shard, RightQuestion question) = 0;
  // Whether a limit keeps the connection out. address: as our logs write it.
  virtual ConnectionQuota::Refusal admit_connection(int fd, Listener& listener,
                                                    BytesView address) = 0;
  // The same, for what a PROXY header says of one that was admitted.
  virtual ConnectionQuota::Refusal locate_connection(int fd, BytesView address) = 0;
  // REQUIRES: it was admitted; its descriptor is still open.
  virtual void connection_gone(int fd, Listener& listener) = 0;
  virtual void channel_failed(const ChannelFailure& failure) = 0;  // For the log.
};

}  // namespace naru::broker
