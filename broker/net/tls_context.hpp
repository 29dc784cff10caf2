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

#include "broker/net/tls_terms.hpp"

namespace naru::broker {

struct TlsSettings {
  std::string certfile, keyfile;
  std::string cafile, capath;  // Whose certificates of clients are trusted.
  std::string crlfile;
  std::string ciphers, ciphersuites;  // For TLS 1.2, for TLS 1.3; empty: OpenSSL's.
  bool only_version_1_3 = false;
  bool require_certificate = false;
};

// Of a bridge, which is the client.
struct TlsClientSettings {
  std::string cafile, capath;     // Whose certificates of servers are trusted.
  bool system_trust = false;      // Those the system trusts, as well.
  std::string certfile, keyfile;  // Its own; both or neither.
  std::string ciphers, ciphersuites;
  std::string alpn;  // The one protocol it asks for; empty: none.
  bool only_version_1_3 = false;
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
  static std::shared_ptr<const TlsContext> make_client(const TlsClientSettings& settings,
                                                       TlsFault& fault);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  SSL_CTX* get() const { return context_; }
  const BIO_METHOD* bio_method() const { return bio_method_; }
  // Whether one of the lists of crlfile names this certificate of a client.
  bool revokes(X509* certificate) const;
  // Of a server's: what it rests on, as it was when it was made.
  const TlsTerms& terms() const { return terms_; }

 private:
  explicit TlsContext(const SSL_METHOD* method);
  bool set_up_client(const TlsClientSettings& settings, TlsFault& fault);
  bool set_up(const TlsSettings& settings, TlsFault& fault);
  bool load_identity(const TlsSettings& settings, TlsFault& fault);
  bool load_trust(const TlsSettings& settings, TlsFault& fault);
  bool load_revoked(const TlsSettings& settings, TlsFault& fault);
  bool set_ciphers(const TlsSettings& settings, TlsFault& fault);

  SSL_CTX* context_;
  BIO_METHOD* bio_method_;
  TlsTerms terms_;
};

}  // namespace naru::broker
