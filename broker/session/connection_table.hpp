// broker/session/connection_table.hpp
//
// ConnectionTable owns the connections of a front and finds them by id. A packet asks for its
// connection several times in a row, so the one found last is remembered.
//
// Sans-IO. Lives on one shard; not thread-safe. Owned by Front, by value.
// Bounded by: max_connections.
#pragma once

#include <memory>
#include <utility>

#include "broker/session/connection.hpp"
#include "storage/base/keyed_set.hpp"

namespace naru::broker {

class ConnectionTable {
 public:
  void add(std::unique_ptr<Connection> connection) { by_id_.insert(std::move(connection)); }
  // nullptr: there is none. Valid until it is erased.
  Connection* find(ConnectionId id) const {
    if (last_ != nullptr && last_->id == id) return last_;
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return nullptr;
    return last_ = found->get();
  }
  void erase(ConnectionId id) {
    last_ = nullptr;
    by_id_.erase(id);
  }
  std::size_t size() const { return by_id_.size(); }
  auto begin() { return by_id_.begin(); }
  auto end() { return by_id_.end(); }

 private:
  KeyedSet<std::unique_ptr<Connection>, &Connection::id> by_id_;
  mutable Connection* last_ = nullptr;
};

}  // namespace naru::broker
