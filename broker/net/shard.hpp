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

#include <memory>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "broker/net/handshake_queue.hpp"
#include "broker/net/mailbox.hpp"
#include "broker/net/shard_host.hpp"
#include "broker/net/socket.hpp"
#include "broker/session/shard_core.hpp"

namespace naru::broker {

class Shard {
 public:
  Shard(ShardHost& host, ShardSettings settings, RouteTable& routes, const Gate& gate,
        const RuleSet& rules, Rng rng);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  ShardCore& core() { return core_; }  // Before start(), or on the shard's thread.
  boost::asio::io_context& context() { return context_; }

  void listen(int fd, Listener& listener);  // Takes fd over. On the shard's thread.
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

  // Ends whose certificate a reloaded crlfile names. On the shard's thread.
  void end_revoked();

  // Who is told when the request is committed or refused; on the shard's thread.
  std::uint64_t expect_answer(std::function<void(bool failed)> done);
  // Nothing was submitted for it: it is answered as done.
  void answer_now(std::uint64_t request);

 private:
  using SocketRef = std::shared_ptr<Socket>;
  struct Acceptor {
    Acceptor(boost::asio::io_context& context, int fd, Listener& its_listener)
        : descriptor(context, fd), listener(its_listener) {}
    Descriptor descriptor;
    Listener& listener;
    bool paused = false;  // Until handshakes_ has room.
  };

  void adopt(Handed handed);
  void accept(Acceptor& acceptor);
  void accept_ready(Acceptor& acceptor);
  void admit(int fd, Listener& listener);
  void wait_readable(const SocketRef& socket);
  void read(const SocketRef& socket);
  void receive(const SocketRef& socket);
  void go_on_with_handshakes();
  void feed(const SocketRef& socket, BytesView fresh);
  bool wants_input(const Socket& socket);
  void unwrap(const SocketRef& socket, BytesView wire);
  void introduce(Socket& socket);
  void end_if_over(const SocketRef& socket);
  void end_if_revoked(const Socket& socket);
  void report(const Socket& socket, BytesView why);
  void send(const SocketRef& socket);
  void send_wrapped(const SocketRef& socket);
  void send_unsent(const SocketRef& socket);
  void say_goodbye(Socket& socket);
  bool is_sent(const Socket& socket);
  void wait_writable(const SocketRef& socket);
  void part(const SocketRef& socket);  // All is said: no more output, input is thrown away.
  void discard(const SocketRef& socket);
  void forget(const SocketRef& socket);
  void drop(const SocketRef& socket);
  void linger(const SocketRef& socket);
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
  // One thread runs it, and alone starts reads and writes: descriptors need no locks.
  boost::asio::io_context context_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  ShardCore core_;
  Mailbox mailbox_;
  Mail mail_;
  boost::asio::steady_timer timer_;
  Instant timer_at_ = Instant::never();
  bool turn_open_ = false;
  bool stopping_ = false, goodbye_said_ = false;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  KeyedSet<SocketRef, &Socket::id> sockets_;
  HandshakeQueue handshakes_;
  std::vector<SocketRef> lingering_;  // Closing, with bytes still to be sent or thrown away.
  std::uint64_t connections_ = 0;     // Counter behind ids.
  std::size_t turned_away_ = 0;       // That are still open.
  std::uint64_t requests_ = 0;
  boost::unordered_flat_map<std::uint64_t, std::function<void(bool)>> expected_;
  std::vector<char> buffer_;
  ChannelBuffers channel_buffers_;
  std::thread thread_;
};

}  // namespace naru::broker
