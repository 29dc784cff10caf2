#include "broker/net/tls_stream.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "storage/base/check.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

// What OpenSSL may have kept of a record that was not whole, with room to spare.
constexpr std::size_t record_room = 2 * SSL3_RT_MAX_PLAIN_LENGTH;

long control_bio(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

}  // namespace

BIO_METHOD* TlsStream::new_bio_method() {
  BIO_METHOD* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "naru");
  NARU_CHECK(method != nullptr);
  BIO_meth_set_read(method, &TlsStream::read_bio);
  BIO_meth_set_write(method, &TlsStream::write_bio);
  BIO_meth_set_ctrl(method, &control_bio);
  return method;
}

int TlsStream::read_bio(BIO* bio, char* out, int size) {
  BytesView& input = static_cast<TlsStream*>(BIO_get_data(bio))->input_;
  BIO_clear_retry_flags(bio);
  if (input.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t n = std::min(input.size(), static_cast<std::size_t>(size));
  std::memcpy(out, input.data(), n);
  input.remove_prefix(n);
  return static_cast<int>(n);
}

// Takes everything, so OpenSSL never has to be asked twice and keeps no buffer for it.
int TlsStream::write_bio(BIO* bio, const char* in, int size) {
  Bytes* const output = static_cast<TlsStream*>(BIO_get_data(bio))->output_;
  NARU_CHECK(output != nullptr);
  output->append(in, static_cast<std::size_t>(size));
  return size;
}

TlsStream::TlsStream(std::shared_ptr<const TlsContext> context)
    : context_(std::move(context)), ssl_(SSL_new(context_->get())) {
  BIO* const bio = BIO_new(context_->bio_method());
  NARU_CHECK(ssl_ != nullptr && bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
  SSL_set_accept_state(ssl_);
}

TlsStream::TlsStream(std::shared_ptr<const TlsContext> context, const Called& called)
    : TlsStream(std::move(context)) {
  SSL_set_connect_state(ssl_);
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl_);
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(wanted, called.host.c_str()) == 1;
  if (is_address && !called.checks_name) X509_VERIFY_PARAM_set1_ip(wanted, nullptr, 0);
  if (is_address) return;
  SSL_set_tlsext_host_name(ssl_, called.host.c_str());
  if (called.checks_name) SSL_set1_host(ssl_, called.host.c_str());
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

BytesView TlsStream::receive(BytesView wire, Bytes& room, Bytes& answer) {
  if (state_ == State::handshake) {
    if (handshake_bytes_ > limits::handshake_bytes) fail("the handshake is too long");
    handshake_bytes_ += wire.size();
  }
  if (state_ == State::ended || state_ == State::failed) return {};
  if (room.size() < wire.size() + record_room) room.resize(wire.size() + record_room);
  input_ = wire;
  output_ = &answer;
  std::size_t used = 0;
  int result = 1;
  while (result > 0) {
    ERR_clear_error();
    result = SSL_read(ssl_, room.data() + used, static_cast<int>(room.size() - used));
    if (result > 0) used += static_cast<std::size_t>(result);
  }
  if (state_ == State::handshake && SSL_is_init_finished(ssl_) == 1) {
    state_ = State::ready;
    established_ = true;
  }
  note(result);
  input_ = {};
  output_ = nullptr;
  return BytesView{room}.substr(0, used);
}

void TlsStream::note(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: return;
    case SSL_ERROR_ZERO_RETURN: state_ = State::ended; return;
    default: break;
  }
  const char* const text = ERR_reason_error_string(ERR_peek_last_error());
  std::string why = text == nullptr ? "TLS failed" : text;
  const long verdict = SSL_get_verify_result(ssl_);
  if (verdict != X509_V_OK) why.append(": ").append(X509_verify_cert_error_string(verdict));
  fail(std::move(why));
}

// Once it has failed, OpenSSL has the certificate no more.
int TlsStream::on_verified(int is_good, X509_STORE_CTX* verified) {
  if (is_good != 0) return is_good;
  const int place = SSL_get_ex_data_X509_STORE_CTX_idx();
  const SSL* const ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(verified, place));
  X509* const shown = X509_STORE_CTX_get0_cert(verified);
  if (ssl != nullptr && shown != nullptr && X509_up_ref(shown) == 1) {
    static_cast<TlsStream*>(SSL_get_app_data(ssl))->refused_ = PeerCertificate{shown};
  }
  return is_good;
}

void TlsStream::fail(std::string why) {
  state_ = State::failed;
  failure_ = std::move(why);
  ERR_clear_error();
}

void TlsStream::send(BytesView plain, Bytes& wire) {
  NARU_CHECK(state_ == State::ready);
  if (plain.empty()) return;
  output_ = &wire;
  ERR_clear_error();
  const int result = SSL_write(ssl_, plain.data(), static_cast<int>(plain.size()));
  if (result <= 0) note(result);
  output_ = nullptr;
}

void TlsStream::say_goodbye(Bytes& wire) {
  if (state_ != State::ready && state_ != State::ended) return;
  output_ = &wire;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  output_ = nullptr;
  ERR_clear_error();
}

PeerCertificate TlsStream::certificate() const {
  return PeerCertificate{SSL_get1_peer_certificate(ssl_)};
}

bool TlsStream::is_revoked_by(const TlsContext& later) const {
  if (context_.get() == &later) return false;  // The handshake has looked.
  const PeerCertificate mine = certificate();
  return mine && later.revokes(mine.get());
}

}  // namespace naru::broker
