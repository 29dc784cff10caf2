// tools/naru/connection.hpp
//
// Connection is one MQTT client with its socket. Its owner hears what happens and decides.
//
// Edge: one recv and one send for each turn of the loop in which the socket is ready.
// Lives on: the loop's thread.
// Owned by: a command. Must not move, and outlives the loop's run(); loop and owner outlive it.
// Bounded by: what the core holds; see MqttClientCore.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "storage/base/clock.hpp"
#include "tools/naru/mqtt_client_core.hpp"
#include "tools/naru/tls_client.hpp"

namespace naru::tools {

class ClientLoop;

class ClientOwner {
 public:
  virtual ~ClientOwner() = default;
  virtual void on_event(const ClientEvent& event) = 0;
  // The connection could not be made, or ended; the reason is a sentence. Not after close().
  virtual void on_down(const std::string& reason) = 0;
  virtual void on_timer(Instant /*now*/) {}
  // Standard input can be read; see ClientLoop::want_input().
  virtual void on_input() {}
};

class Connection {
 public:
  Connection(ClientLoop& loop, ClientOwner& owner, ClientSettings settings);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  void open();   // Begins to connect; on_event(online) or on_down() follows.
  void close();  // At once; what was not sent is lost.
  // DISCONNECT, then the socket closes when all is sent; on_down() tells. REQUIRES: online.
  void finish();

  MqttClientCore& core() { return core_; }
  void flush_later();  // Call after putting something into the core from outside an event.
  bool is_open() const { return fd_ >= 0; }
  // TLS went on where an earlier connection of this object was; after the event online.
  bool is_resumed() const { return tls_ && tls_->is_resumed(); }

  // What the loop calls, nobody else.
  void on_ready(std::uint32_t events);
  void on_second(Instant now);
  void receive();
  void flush();
  int descriptor() const { return fd_; }

 private:
  void down(const std::string& reason);
  void on_connected();
  bool unwrap(BytesView wire, Bytes& plain);
  Bytes& wire();

  ClientLoop& loop_;
  ClientOwner& owner_;
  MqttClientCore core_;
  int fd_ = -1;
  std::uint32_t slot_ = 0;           // In the loop's list while open.
  std::size_t sent_ = 0;             // Of core().output().
  std::unique_ptr<TlsChannel> tls_;  // Null: plain.
  TlsTicket ticket_;                 // Of the connection before.
  bool connecting_ = false;          // The socket is.
  bool blocked_ = false;             // The kernel's buffer is full; EPOLLOUT comes.
  bool hung_up_ = false;             // The end has come, behind what is still to be read.
  bool flush_queued_ = false;
  bool finishing_ = false;
};

}  // namespace naru::tools
