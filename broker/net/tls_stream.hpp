// broker/net/tls_stream.hpp
//
// TlsStream is our end of one TLS connection, the server's or (of a bridge) the client's: bytes of
// the socket go in, what they hide comes out, and the other way round.
//
// Edge only because OpenSSL is; it touches no socket. OpenSSL reads through a BIO of ours that lies
// over the caller's buffer for the time of a call, so one recv serves any number of records, and
// nothing of it stays behind but the part of a record that is not whole.
// Lives on: one shard at a time; may go to another between calls.
// Owned by: Channel or BridgeStream.
// Bounded by: limits::handshake_bytes until the handshake is done; one record later.
// Spec: RFC 5246 (1.2), RFC 8446 (1.3).
#pragma once

#include <memory>
#include <string>

#include "broker/auth/certificate_fields.hpp"
#include "broker/net/tls_context.hpp"
#include "storage/base/bytes.hpp"

namespace naru::broker {

class TlsStream {
 public:
  enum class State : std::uint8_t {
    handshake,
    ready,
    ended,   // The peer said goodbye.
    failed,  // failure() says why; what was answered (an alert) still has to be sent.
  };

  // The server's end.
  explicit TlsStream(std::shared_ptr<const TlsContext> context);
  // The client's: whom it calls; checks_name: the server's certificate must name that host.
  struct Called {
    std::string host;
    bool checks_name = true;
  };
  TlsStream(std::shared_ptr<const TlsContext> context, const Called& called);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Takes all of `wire`. The result lies in `room`, which grows to the largest read and is only a
  // place to work in. What has to be answered is appended to `answer`.
  BytesView receive(BytesView wire, Bytes& room, Bytes& answer);
  // Appends `plain`, sealed, to `wire`. REQUIRES: state() is ready.
  void send(BytesView plain, Bytes& wire);
  void say_goodbye(Bytes& wire);

  State state() const { return state_; }
  bool is_established() const {
    return established_;
  }  // The handshake was done, whatever followed.
  const std::string& failure() const { return failure_; }
  PeerCertificate certificate() const;
  // What the client showed, where the handshake failed for it. What it says of itself is proven by
  // nothing.
  const PeerCertificate& refused() const { return refused_; }
  // Whether a context that came after this connection's own names its certificate as revoked.
  bool is_revoked_by(const TlsContext& later) const;

  static BIO_METHOD* new_bio_method();
  // What OpenSSL asks while it verifies a client.
  static int on_verified(int is_good, X509_STORE_CTX* verified);

 private:
  static int read_bio(BIO* bio, char* out, int size);
  static int write_bio(BIO* bio, const char* in, int size);
  void fail(std::string why);
  void note(int result);

  std::shared_ptr<const TlsContext> context_;
  SSL* ssl_;
  State state_ = State::handshake;
  bool established_ = false;
  std::size_t handshake_bytes_ = 0;
  BytesView input_;          // What OpenSSL has not yet read, during a call.
  Bytes* output_ = nullptr;  // Where it writes to, during a call.
  std::string failure_;
  PeerCertificate refused_;
};

}  // namespace naru::broker
