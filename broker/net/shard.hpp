// broker/net/shard.hpp
//
// Shard is the edge around one ShardCore: a thread, its event loop, its sockets and acceptors.
//
// Edge. Everything but post(), deliver(), run-time wake-ups and stop() happens on its own thread.
// Owned by Node; the store, the committer, the horizon and the other shards must outlive run().
// Bounded by: connections by the listener's limit; one read buffer for all of them.
//
// A turn: handlers of ready sockets feed the core; the first of them posts one flush, which runs
// behind them, ends the core's turn and carries out what it asks for, one send a connection.
#pragma once

#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "broker/net/mailbox.hpp"
#include "broker/session/shard_core.hpp"

namespace naru::broker {

// What a shard needs of the node it belongs to.
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
  virtual bool admit_connection() = 0;  // False: the limit is reached.
  virtual void connection_gone() = 0;
};

class Shard {
 public:
  Shard(ShardHost& host, ShardSettings settings, RouteTable& routes, const Gate& gate,
        const RuleSet& rules, Rng rng);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  ShardCore& core() { return core_; }  // Before start(), or on the shard's thread.
  boost::asio::io_context& context() { return context_; }

  void listen(int fd, bool anonymous_allowed);  // Takes it over. On the shard's thread.
  void start();
  // Closes the acceptors, says goodbye to clients, keeps committing; on any thread.
  void begin_stop();
  bool is_quiet();  // Goodbyes have arrived, nothing waits for the disk. On the shard's thread.
  bool is_running() const { return thread_.joinable(); }
  void join();  // Ends the loop.

  // On any thread.
  void post(std::function<void(ShardCore&)> work);
  void put_hops(std::vector<Hop>& hops);
  void put_outcomes(std::vector<storage::CommitOutcome>&& outcomes);
  void put_handed(Handed handed);

  // Who is told when the request is committed or refused; on the shard's thread.
  std::uint64_t expect_answer(std::function<void(bool failed)> done);
  // Nothing was submitted for it: it is answered as done.
  void answer_now(std::uint64_t request);

 private:
  using Executor = boost::asio::io_context::executor_type;
  using Descriptor = boost::asio::posix::basic_stream_descriptor<Executor>;

  struct Socket {
    Socket(boost::asio::io_context& context, int fd) : descriptor(context, fd) {}
    Descriptor descriptor;
    ConnectionId id = 0;
    Bytes unread;
    bool reading = false, writing = false;  // A wait for input, for room is under way.
    bool closing = false;
    bool parting = false;  // See part().
    Instant closing_since;
  };
  using SocketRef = std::shared_ptr<Socket>;
  struct Acceptor {
    Acceptor(boost::asio::io_context& context, int fd) : descriptor(context, fd) {}
    Descriptor descriptor;
    bool anonymous_allowed = false;
  };

  void adopt(int fd, Peer peer, Bytes unread);
  void accept(Acceptor& acceptor);
  void accept_ready(Acceptor& acceptor);
  void wait_readable(const SocketRef& socket);
  void read(const SocketRef& socket);
  void feed(const SocketRef& socket, BytesView fresh);
  bool wants_input(const Socket& socket);
  void send(const SocketRef& socket);
  void wait_writable(const SocketRef& socket);
  void part(const SocketRef& socket);  // All is said: no more output, input is thrown away.
  void discard(const SocketRef& socket);
  void forget(const SocketRef& socket);
  void drop(const SocketRef& socket);
  void end_lingering();

  void open_turn();
  void flush();
  bool carry_out();
  void take_mail();
  void send_all();
  void close_all();
  void resume_all();
  void fetch_all();
  void hand_over_all();
  void arm_timer();
  void wake();

  ShardHost& host_;
  boost::asio::io_context context_{1};
  ShardCore core_;
  Mailbox mailbox_;
  Mail mail_;
  boost::asio::steady_timer timer_;
  Instant timer_at_ = Instant::never();
  bool turn_open_ = false;
  bool stopping_ = false, goodbye_said_ = false;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  boost::unordered_flat_map<ConnectionId, SocketRef> sockets_;
  std::vector<SocketRef> lingering_;  // Closing, with bytes still to be sent or thrown away.
  std::uint64_t connections_ = 0;     // Counter behind ids.
  std::uint64_t requests_ = 0;
  boost::unordered_flat_map<std::uint64_t, std::function<void(bool)>> expected_;
  std::vector<char> buffer_;
  std::thread thread_;
};

}  // namespace naru::broker
