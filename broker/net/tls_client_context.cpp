// TlsContext's part for a bridge, which is the client of its connection.

#include <openssl/err.h>

#include "broker/net/tls_context.hpp"

namespace naru::broker {

namespace {

// As ALPN has it on the wire: a length, then the name.
std::string wire_form(const std::string& protocol) {
  return static_cast<char>(protocol.size()) + protocol;
}

}  // namespace

std::shared_ptr<const TlsContext> TlsContext::make_client(const TlsClientSettings& settings,
                                                          TlsFault& fault) {
  ERR_clear_error();
  const std::shared_ptr<TlsContext> made{new TlsContext{TLS_client_method()}};
  if (made->set_up_client(settings, fault)) return made;
  fault.key.insert(0, "bridge_");
  fault.text.insert(0, "bridge_");
  return nullptr;
}

bool TlsContext::set_up_client(const TlsClientSettings& settings, TlsFault& fault) {
  SSL_CTX_set_min_proto_version(context_,
                                settings.only_version_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(
      context_, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_default_passwd_cb(context_, [](char*, int, int, void*) { return -1; });
  if (settings.system_trust) SSL_CTX_set_default_verify_paths(context_);
  if (!settings.alpn.empty()) {
    const std::string wire = wire_form(settings.alpn);
    SSL_CTX_set_alpn_protos(context_, reinterpret_cast<const unsigned char*>(wire.data()),
                            static_cast<unsigned>(wire.size()));
  }
  TlsSettings shared;
  shared.certfile = settings.certfile;
  shared.keyfile = settings.keyfile;
  shared.cafile = settings.cafile;
  shared.capath = settings.capath;
  shared.ciphers = settings.ciphers;
  shared.ciphersuites = settings.ciphersuites;
  return (settings.certfile.empty() || load_identity(shared, fault)) && load_trust(shared, fault) &&
         set_ciphers(shared, fault);
}

}  // namespace naru::broker
