// broker/net/tls_terms.hpp
//
// A TlsTerm says how long one of the things holds that a listener's TLS rests on: its certificate,
// an authority, a list of revoked certificates.
//
// terms_of is an edge (OpenSSL), called once for a context; concerns_of is pure. Any thread.
// Bounded by: one term for each certificate and list in a listener's files.
// Spec: RFC 5280 sections 4.1.2.5, 5.1.2.4, 5.1.2.5.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include <openssl/ssl.h>

#include "storage/base/clock.hpp"

namespace naru::broker {

struct TlsSettings;

struct TlsTerm {
  enum class Kind : std::uint8_t {
    certificate,
    chain,      // Behind the certificate, of the authority that signed it.
    authority,  // Whose certificates of clients are trusted.
    list,
    no_list,  // There should be one.
  };
  static constexpr WallMillis no_end = std::numeric_limits<WallMillis>::max();

  Kind kind = Kind::certificate;
  std::string file;
  std::string name;  // Whose it is, as RFC 2253 has it; of a list, who made it.
  WallMillis from = 0, until = no_end;
};
using TlsTerms = std::vector<TlsTerm>;

// Of what has been loaded into a server's context.
TlsTerms terms_of(SSL_CTX* context, const TlsSettings& settings);

// What an operator should know, and do something about.
struct TlsConcern {
  std::string key;      // Of the configuration.
  std::string text;     // Key and file, what is wrong since when, what to do.
  bool is_off = false;  // It does not hold now; else it soon will not, or there is none.
};
// Nothing is said of what another one replaces: of the same kind and name, and holding longer.
std::vector<TlsConcern> concerns_of(const TlsTerms& terms, WallMillis now);

}  // namespace naru::broker
