// broker/net/bridge_link.hpp
//
// BridgeLink is the edge around one BridgeCore: it resolves names, makes the connections the core
// wishes for, moves bytes, keeps its time and logs its events.
//
// Edge. Lives on the thread of the bridges; facts() on any.
// Owned by:   Bridges (broker/app/bridges.hpp); the host must outlive it.
// Bounded by: one connection each side, one attempt at a time. Its one lock guards the facts.
#pragma once

#include <mutex>

#include <boost/asio/ip/tcp.hpp>

#include "broker/bridge/bridge_core.hpp"
#include "broker/net/bridge_stream.hpp"

namespace naru::broker {

struct BridgeAddress {
  std::string host;
  std::uint16_t port = 1883;
};

// How a bridge reaches the remote broker.
struct BridgeRoute {
  std::vector<BridgeAddress> addresses;
  std::string bind_address;               // Empty: the system chooses.
  std::shared_ptr<const TlsContext> tls;  // Null: no TLS.
  bool checks_name = true;
};

// What others are told of it.
struct BridgeFacts {
  std::string name;
  std::string address;  // In use, or tried last.
  std::string local_client_id;
  bool connected = false;
  std::string state;  // "connected", or why it is not.
  RelayCounters counters;
};

class BridgeHost {
 public:
  virtual ~BridgeHost() = default;
  virtual Instant now() const = 0;
  // A connection to this broker, our end of it; -1: there is none to be had. The other end may do
  // everything under that client id.
  virtual int connect_here(const Bytes& client_id, const Bytes& user) = 0;
};

class BridgeLink {
 public:
  BridgeLink(boost::asio::io_context& context, BridgeHost& host, BridgeSettings settings,
             BridgeRoute route, Bytes local_user, Rng rng);

  void start();
  void stop();
  bool is_prepared() const { return core_.is_prepared(); }
  // Its last words are sent.
  bool is_quiet() const;
  BridgeFacts facts() const;

 private:
  using Tcp = boost::asio::ip::tcp;

  // The owner of one side's stream, and the attempt it belongs to.
  struct Seat final : BridgeStreamOwner {
    Seat(BridgeLink& its_link, Side its_side) : link(its_link), side(its_side) {}
    void on_stream_open() override;
    void on_stream_bytes() override;
    void on_stream_end(BytesView why) override;
    BridgeLink& link;
    const Side side;
    std::uint64_t attempt = 0;
    std::shared_ptr<BridgeStream> stream;
  };

  Seat& seat(Side side) { return side == Side::local ? local_ : remote_; }
  void turn();
  bool follow(Side side);
  bool feed(Side side);
  void connect_here();
  void dial();
  void try_next(std::uint64_t attempt, Tcp::resolver::results_type found,
                Tcp::resolver::results_type::const_iterator next, std::string why);
  void dialed(std::uint64_t attempt);
  void fail_dial(std::uint64_t attempt, std::string_view why);
  void probe();
  void tell_events();
  void arm_timer();
  void keep_facts();
  const BridgeAddress& address() const { return route_.addresses[core_.address()]; }
  std::string address_text() const;

  boost::asio::io_context& context_;
  BridgeHost& host_;
  const BridgeRoute route_;
  const Bytes local_user_;
  BridgeCore core_;
  Seat local_{*this, Side::local}, remote_{*this, Side::remote};
  Tcp::resolver resolver_;
  Tcp::socket socket_;  // While it connects.
  Tcp::socket probe_;
  bool probing_ = false, turning_ = false;
  boost::asio::steady_timer timer_;
  std::weak_ptr<BridgeStream> leaving_[2];
  mutable std::mutex facts_mutex_;
  BridgeFacts facts_;
};

}  // namespace naru::broker
