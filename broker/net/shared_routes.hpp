// broker/net/shared_routes.hpp
//
// SharedRoutes is the route table of all shards: one FilterIndex behind a lock that readers share.
//
// Edge: one shared mutex. match() on any shard at any time; add() and remove() wait for readers.
// Owned by the composition root; must outlive the shards.
#pragma once

#include <shared_mutex>

#include "broker/routing/filter_index.hpp"

namespace naru::broker {

class SharedRoutes final : public RouteTable {
 public:
  bool add(BytesView filter, const Route& route) override {
    const std::unique_lock lock{mutex_};
    return index_.add(filter, route);
  }
  bool remove(BytesView filter, const Route& owner) override {
    const std::unique_lock lock{mutex_};
    return index_.remove(filter, owner);
  }
  void match(BytesView topic, Matches& matches) const override {
    const std::shared_lock lock{mutex_};
    index_.match(topic, matches);
  }
  std::size_t size() const override {
    const std::shared_lock lock{mutex_};
    return index_.size();
  }

 private:
  mutable std::shared_mutex mutex_;
  FilterIndex index_;
};

}  // namespace naru::broker
