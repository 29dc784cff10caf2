// broker/session/waiting_messages.hpp
//
// WaitingMessages are the QoS 1 and 2 messages for a clean session whose window is full. Most
// clients keep up: eight bytes until one does not.
//
// Sans-IO. Lives on the connection's shard. Owned by Connection, by value.
// Bounded by: its owner, which asks bytes().
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "broker/session/hop_values.hpp"
#include "storage/base/fifo.hpp"
#include "storage/tables/message.hpp"

namespace naru::broker {

struct WaitingMessage {
  storage::MessageRef message;
  std::uint8_t options = 0;
  std::vector<std::uint32_t> subscription_ids;
  GroupPlace lent;  // By a group, that wants to know.
};

class WaitingMessages {
 public:
  bool empty() const { return !list_ || list_->messages.empty(); }
  std::size_t size() const { return list_ ? list_->messages.size() : 0; }
  std::uint64_t bytes() const { return list_ ? list_->bytes : 0; }
  void push(WaitingMessage message) {
    if (!list_) list_ = std::make_unique<List>();
    list_->bytes += message.message->encoded().size();
    list_->messages.push_back(std::move(message));
  }
  WaitingMessage pop() {  // REQUIRES: !empty().
    WaitingMessage first = std::move(list_->messages.front());
    list_->messages.pop_front();
    list_->bytes -= first.message->encoded().size();
    return first;
  }

 private:
  struct List {
    Fifo<WaitingMessage> messages;
    std::uint64_t bytes = 0;
  };
  std::unique_ptr<List> list_;
};

}  // namespace naru::broker
