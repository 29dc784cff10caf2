// broker/net/mailbox.hpp
//
// Mailbox is the one door into a shard from other threads: batches of hops from other shards,
// outcomes of commits, connections handed over, and work to be done on the shard's thread.
//
// Edge: one mutex, held for a swap or an append. put() on any thread, take() on the shard's.
// Owned by Shard. Bounded by what its senders have in flight; their back-pressure bounds that.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "broker/net/channel.hpp"
#include "broker/session/connection.hpp"
#include "broker/session/shard_output.hpp"

namespace naru::broker {

class ShardCore;

// A connection on its way to the shard of its client's lane.
struct Handed {
  int fd = -1;
  Listener* listener = nullptr;  // Never null.
  Peer peer;
  std::unique_ptr<Channel> channel;  // Null: MQTT straight over the socket.
  Bytes unread;                      // MQTT's bytes from CONNECT on.
};

struct Mail {
  std::vector<Hop> hops;  // In order per sender.
  std::vector<storage::CommitOutcome> outcomes;
  std::vector<Handed> handed;
  std::vector<std::function<void(ShardCore&)>> work;

  bool empty() const { return hops.empty() && outcomes.empty() && handed.empty() && work.empty(); }
  void clear() {
    hops.clear();
    outcomes.clear();
    handed.clear();
    work.clear();
  }
};

class Mailbox {
 public:
  // Calls fill(Mail&) under the lock. True: the shard has to be woken.
  template <class Fill>
  bool put(Fill&& fill) {
    const std::lock_guard lock{mutex_};
    const bool was_empty = mail_.empty();
    fill(mail_);
    return was_empty;
  }
  // What has come since; `mail` must be empty and keeps its room.
  void take(Mail& mail) {
    const std::lock_guard lock{mutex_};
    std::swap(mail_, mail);
  }

 private:
  std::mutex mutex_;
  Mail mail_;
};

}  // namespace naru::broker
