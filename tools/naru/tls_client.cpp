// tools/naru/tls_client.cpp
#include "tools/naru/tls_client.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "storage/base/check.hpp"

namespace naru::tools {
namespace {

std::string last_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* const text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text == nullptr ? "unknown reason" : text;
}

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> ignored{};
  return inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

// OpenSSL calls it for each ticket; 1: the session is ours now.
int on_ticket(SSL* ssl, SSL_SESSION* session) {
  auto* const channel = static_cast<TlsChannel*>(SSL_get_app_data(ssl));
  channel->keep(TlsTicket{session, SSL_SESSION_free});
  return 1;
}

Error cannot(const std::string& what) {
  return {Errc::invalid, "cannot use " + what + ": " + last_error()};
}

}  // namespace

TlsChannel::TlsChannel(ssl_ctx_st* context, const std::string& host, bool verify)
    : ssl_(SSL_new(context)) {
  NARU_CHECK(ssl_ != nullptr);
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl_);
  SSL_set_app_data(ssl_, this);
  if (!is_address(host)) SSL_set_tlsext_host_name(ssl_, host.c_str());
  if (!verify) return;
  SSL_set_verify(ssl_, SSL_VERIFY_PEER, nullptr);
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), host.c_str());
  } else {
    SSL_set1_host(ssl_, host.c_str());
  }
}

TlsChannel::~TlsChannel() { SSL_free(ssl_); }

bool TlsChannel::is_open() const { return SSL_is_init_finished(ssl_) == 1; }

bool TlsChannel::is_resumed() const { return SSL_session_reused(ssl_) == 1; }

void TlsChannel::use(const TlsTicket& ticket) { SSL_set_session(ssl_, ticket.get()); }

std::string TlsChannel::receive(BytesView wire, Bytes& plain) {
  if (!wire.empty()) BIO_write(SSL_get_rbio(ssl_), wire.data(), static_cast<int>(wire.size()));
  std::array<char, 16 * 1024> piece;
  std::string failure;
  while (failure.empty()) {
    ERR_clear_error();
    // The handshake goes on by itself in here.
    const int n = SSL_read(ssl_, piece.data(), static_cast<int>(piece.size()));
    if (n > 0) {
      plain.append(piece.data(), static_cast<std::size_t>(n));
      continue;
    }
    const int error = SSL_get_error(ssl_, n);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_ZERO_RETURN) break;
    const long verdict = SSL_get_verify_result(ssl_);
    failure = verdict == X509_V_OK ? last_error() : X509_verify_cert_error_string(verdict);
  }
  collect();
  return failure;
}

void TlsChannel::send(BytesView plain) {
  while (!plain.empty()) {
    const auto most = static_cast<int>(std::min<std::size_t>(plain.size(), 1u << 30));
    const int n = SSL_write(ssl_, plain.data(), most);
    if (n <= 0) break;  // Broken: the next receive() says why.
    plain.remove_prefix(static_cast<std::size_t>(n));
  }
  collect();
}

void TlsChannel::close() {
  if (is_open()) SSL_shutdown(ssl_);
  collect();
}

void TlsChannel::collect() {
  BIO* const out = SSL_get_wbio(ssl_);
  const std::size_t before = output_.size();
  const std::size_t pending = BIO_ctrl_pending(out);
  if (pending == 0) return;
  output_.resize(before + pending);
  BIO_read(out, output_.data() + before, static_cast<int>(pending));
}

Bytes& TlsChannel::output() { return output_; }

Result<std::shared_ptr<const TlsClient>> TlsClient::make(const Options& options, std::string host) {
  ERR_clear_error();
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  NARU_CHECK(context != nullptr);
  const std::shared_ptr<const TlsClient> made{
      new TlsClient{context, std::move(host), !options.insecure}};
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  if (options.resume) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_ticket);
  }
  if (options.cafile.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (SSL_CTX_load_verify_locations(context, options.cafile.c_str(), nullptr) != 1) {
    return cannot("the authorities in " + options.cafile);
  }
  if (options.certfile.empty() != options.keyfile.empty()) {
    return Error{Errc::invalid, "a certificate (--cert) and its key (--key) go together"};
  }
  if (options.certfile.empty()) return made;
  if (SSL_CTX_use_certificate_chain_file(context, options.certfile.c_str()) != 1) {
    return cannot("the certificate " + options.certfile);
  }
  if (SSL_CTX_use_PrivateKey_file(context, options.keyfile.c_str(), SSL_FILETYPE_PEM) != 1) {
    return cannot("the key " + options.keyfile);
  }
  return made;
}

TlsClient::~TlsClient() { SSL_CTX_free(context_); }

std::unique_ptr<TlsChannel> TlsClient::open(const TlsTicket& ticket) const {
  auto channel = std::make_unique<TlsChannel>(context_, host_, verify_);
  if (ticket) channel->use(ticket);
  return channel;
}

}  // namespace naru::tools
