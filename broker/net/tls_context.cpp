#include "broker/net/tls_context.hpp"

#include <dirent.h>

#include <cerrno>
#include <cstring>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "broker/net/tls_stream.hpp"

namespace naru::broker {

namespace {

// Why OpenSSL refused a file: that it cannot be opened comes before everything else.
std::string reason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
  const char* const text = ERR_reason_error_string(code);
  return text == nullptr ? "it is not what it should be" : text;
}

TlsFault fault_of(std::string key, const std::string& file, std::string_view remedy) {
  std::string text = key + " " + file + ": " + reason() + "; " + std::string{remedy};
  return {std::move(key), std::move(text)};
}

// OpenSSL looks into it with the first handshake; that it can is made sure here.
bool load_directory(SSL_CTX* context, const std::string& path) {
  DIR* const directory = ::opendir(path.c_str());
  if (directory == nullptr) {
    ERR_raise(ERR_LIB_SYS, errno);
    return false;
  }
  ::closedir(directory);
  return SSL_CTX_load_verify_dir(context, path.c_str()) == 1;
}

// Nobody is there to type it.
int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

TlsContext::TlsContext(const SSL_METHOD* method)
    : context_(SSL_CTX_new(method)), bio_method_(TlsStream::new_bio_method()) {}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
  BIO_meth_free(bio_method_);
}

std::shared_ptr<const TlsContext> TlsContext::make(const TlsSettings& settings, TlsFault& fault) {
  ERR_clear_error();
  const std::shared_ptr<TlsContext> made{new TlsContext{TLS_server_method()}};
  return made->set_up(settings, fault) ? made : nullptr;
}

bool TlsContext::set_up(const TlsSettings& settings, TlsFault& fault) {
  const int least = settings.only_version_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_CTX_set_min_proto_version(context_, least);
  SSL_CTX_set_options(context_, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION |
                                    SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS);
  // Resumption by tickets alone: every shard has their key, and no shard keeps anything.
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  static constexpr unsigned char name[] = "naru";
  SSL_CTX_set_session_id_context(context_, name, sizeof name - 1);
  SSL_CTX_set_num_tickets(context_, 1);
  SSL_CTX_set_default_passwd_cb(context_, no_passphrase);
  const bool loaded = load_identity(settings, fault) && load_trust(settings, fault) &&
                      load_revoked(settings, fault) && set_ciphers(settings, fault);
  if (loaded) terms_ = terms_of(context_, settings);
  return loaded;
}

bool TlsContext::load_identity(const TlsSettings& settings, TlsFault& fault) {
  if (SSL_CTX_use_certificate_chain_file(context_, settings.certfile.c_str()) != 1) {
    fault = fault_of("certfile", settings.certfile,
                     "it must be readable and hold the certificate in PEM, its chain behind it");
    return false;
  }
  if (SSL_CTX_use_PrivateKey_file(context_, settings.keyfile.c_str(), SSL_FILETYPE_PEM) != 1) {
    const bool mismatch = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
    fault = fault_of("keyfile", settings.keyfile,
                     mismatch ? "it is not the key of certfile " + settings.certfile
                              : "it must be readable and hold the key in PEM, without passphrase");
    return false;
  }
  return true;
}

bool TlsContext::load_trust(const TlsSettings& settings, TlsFault& fault) {
  if (!settings.cafile.empty()) {
    STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(settings.cafile.c_str());
    if (names == nullptr || SSL_CTX_load_verify_file(context_, settings.cafile.c_str()) != 1) {
      fault = fault_of("cafile", settings.cafile,
                       "it must be readable and hold certificates of authorities in PEM");
      return false;
    }
    SSL_CTX_set_client_CA_list(context_, names);
  }
  if (!settings.capath.empty() && !load_directory(context_, settings.capath)) {
    fault = fault_of("capath", settings.capath, "it must be a directory made by 'openssl rehash'");
    return false;
  }
  if (settings.require_certificate) {
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       &TlsStream::on_verified);
  }
  return true;
}

bool TlsContext::load_revoked(const TlsSettings& settings, TlsFault& fault) {
  if (settings.crlfile.empty()) return true;
  X509_STORE* const store = SSL_CTX_get_cert_store(context_);
  X509_LOOKUP* const lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
  if (lookup == nullptr ||
      X509_load_crl_file(lookup, settings.crlfile.c_str(), X509_FILETYPE_PEM) < 1) {
    fault = fault_of("crlfile", settings.crlfile,
                     "it must be readable and hold lists of revoked certificates in PEM");
    return false;
  }
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  return true;
}

// The lists were verified with each handshake; here only their entries count.
bool TlsContext::revokes(X509* certificate) const {
  STACK_OF(X509_OBJECT)* const all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context_));
  for (int i = 0; i < sk_X509_OBJECT_num(all); ++i) {
    X509_CRL* const list = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(all, i));
    if (list == nullptr ||
        X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_issuer_name(certificate)) != 0) {
      continue;
    }
    X509_REVOKED* entry = nullptr;
    constexpr int named = 1;  // 2: it was, and has been taken off again.
    if (X509_CRL_get0_by_cert(list, &entry, certificate) == named) return true;
  }
  return false;
}

bool TlsContext::set_ciphers(const TlsSettings& settings, TlsFault& fault) {
  if (!settings.ciphers.empty() &&
      SSL_CTX_set_cipher_list(context_, settings.ciphers.c_str()) != 1) {
    fault = fault_of("ciphers", settings.ciphers, "'openssl ciphers' lists what there is");
    return false;
  }
  if (!settings.ciphersuites.empty() &&
      SSL_CTX_set_ciphersuites(context_, settings.ciphersuites.c_str()) != 1) {
    fault = fault_of("ciphers_tls1.3", settings.ciphersuites,
                     "'openssl ciphers -tls1_3' lists what there is");
    return false;
  }
  return true;
}

}  // namespace naru::broker
