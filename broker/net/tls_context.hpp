// broker/net/tls_context.hpp
//
// TlsContext is what all TLS connections of a listener share: certificate, key, whom it trusts,
// versions, ciphers and the keys of session tickets.
//
// Edge (OpenSSL; reads files once, when it is made). Any shard; constant once made.
// Owned by Listener and by every TlsStream, together.
#pragma once

#include <memory>
#include <string>

#include <openssl/ssl.h>

namespace naru::broker {

struct TlsSettings {
  std::string certfile, keyfile;
  std::string cafile, capath;  // Whose certificates of clients are trusted.
  std::string crlfile;
  std::string ciphers, ciphersuites;  // For TLS 1.2, for TLS 1.3; empty: OpenSSL's.
  bool only_version_1_3 = false;
  bool require_certificate = false;
};

// Which option is wrong, by its key in the configuration, and what to do.
struct TlsFault {
  std::string key;
  std::string text;
};

class TlsContext {
 public:
  // Null: `fault` says why.
  static std::shared_ptr<const TlsContext> make(const TlsSettings& settings, TlsFault& fault);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  SSL_CTX* get() const { return context_; }
  const BIO_METHOD* bio_method() const { return bio_method_; }
  // Whether one of the lists of crlfile names this certificate of a client.
  bool revokes(X509* certificate) const;

 private:
  TlsContext();
  bool set_up(const TlsSettings& settings, TlsFault& fault);
  bool load_identity(const TlsSettings& settings, TlsFault& fault);
  bool load_trust(const TlsSettings& settings, TlsFault& fault);
  bool load_revoked(const TlsSettings& settings, TlsFault& fault);
  bool set_ciphers(const TlsSettings& settings, TlsFault& fault);

  SSL_CTX* context_;
  BIO_METHOD* bio_method_;
};

}  // namespace naru::broker
