// broker/net/socket.hpp
//
// Socket is one connection as its shard's event loop sees it.
//
// Edge data. Lives on one shard; owned by it and by the handlers that wait for it.
// Bounded by: unread holds at most what one read brings and what the core has left before.
#pragma once

#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "broker/net/channel.hpp"
#include "broker/session/connection.hpp"

namespace naru::broker {

using Executor = boost::asio::io_context::executor_type;
using Descriptor = boost::asio::posix::basic_stream_descriptor<Executor>;

struct Socket {
  Socket(boost::asio::io_context& context, int fd, Listener& its_listener)
      : descriptor(context, fd), listener(its_listener) {}
  Descriptor descriptor;
  Listener& listener;
  std::unique_ptr<Channel> channel;  // Null: MQTT straight over the socket.
  ConnectionId id = 0;
  std::unique_ptr<Bytes> unread;          // MQTT's bytes. Null: there are none.
  bool reading = false, writing = false;  // A wait for input, for room is under way.
  bool closing = false;
  bool parting = false;      // See Shard::part().
  bool turned_away = false;  // A limit keeps it out: it counts nowhere, and is told why.
  Instant closing_since;
};

}  // namespace naru::broker
