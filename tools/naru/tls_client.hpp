// tools/naru/tls_client.hpp
//
// TlsClient is how naru's connections speak TLS: whom they trust, and who they are. TlsChannel is
// one connection's part of it: bytes of the wire go in and plain ones come out, and the reverse.
//
// Edge: OpenSSL, over memory. The sockets stay with Connection.
// Lives on: the loop's thread. Owned by: TlsClient by the server's address, shared by its
// connections; a channel by its connection. Bounded by: what one turn of the socket brings.
#pragma once

#include <memory>
#include <string>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

namespace naru::tools {

// What the broker gave a connection, so that the next one may do without half of the handshake.
using TlsTicket = std::shared_ptr<ssl_session_st>;

class TlsChannel {
 public:
  TlsChannel(ssl_ctx_st* context, const std::string& host, bool verify);
  ~TlsChannel();
  TlsChannel(const TlsChannel&) = delete;
  TlsChannel& operator=(const TlsChannel&) = delete;

  bool is_open() const;     // The handshake is over.
  bool is_resumed() const;  // By a ticket. REQUIRES: is_open().
  // Goes on with what came from the socket, and appends what it says to `plain`. An empty `wire`
  // begins the handshake. Empty when all is well, else why it failed.
  std::string receive(BytesView wire, Bytes& plain);
  // REQUIRES: is_open(). Takes all of it.
  void send(BytesView plain);
  void close();     // Says goodbye; the last bytes are in output().
  Bytes& output();  // For the socket; the caller takes from it.

  void use(const TlsTicket& ticket);  // Before the first receive().
  void keep(TlsTicket ticket) { ticket_ = std::move(ticket); }
  const TlsTicket& ticket() const { return ticket_; }  // The last one that came; null for none.

 private:
  void collect();

  ssl_st* ssl_ = nullptr;
  Bytes output_;
  TlsTicket ticket_;
};

class TlsClient {
 public:
  struct Options {
    std::string cafile;             // Empty: the machine's authorities.
    std::string certfile, keyfile;  // Both or neither.
    bool insecure = false;          // Whoever answers is believed.
    bool resume = false;            // Channels keep the tickets that come.
  };

  // The error names the file.
  static Result<std::shared_ptr<const TlsClient>> make(const Options& options, std::string host);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // With a ticket of an earlier channel the handshake is the short one, if the broker agrees.
  std::unique_ptr<TlsChannel> open(const TlsTicket& ticket) const;

 private:
  TlsClient(ssl_ctx_st* context, std::string host, bool verify)
      : context_(context), host_(std::move(host)), verify_(verify) {}

  ssl_ctx_st* const context_;
  const std::string host_;
  const bool verify_;
};

}  // namespace naru::tools
