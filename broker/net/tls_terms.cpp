#include "broker/net/tls_terms.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "broker/net/tls_context.hpp"

namespace naru::broker {

namespace {

using Kind = TlsTerm::Kind;

constexpr WallMillis soon = WallMillis{14} * 24 * 3600 * 1000;

struct KindRow {
  const char* key;
  const char* what;
  const char* effect;  // While it does not hold.
  const char* remedy;
};
constexpr const char* anew = "put a new one there and reload";
// In the order of TlsTerm::Kind.
// clang-format off
constexpr auto kinds = std::to_array<KindRow>({
    {"certfile", "the certificate of ",               "clients refuse it",                            anew},
    {"certfile", "the certificate of the authority ", "clients refuse the one that it signed",        anew},
    {"cafile",   "the authority ",                    "its certificates are refused",                 "put the new one there, or take it out, and reload"},
    {"crlfile",  "the list of ",                      "certificates of that authority are refused",  anew},
    {"crlfile",  "there is no list of ",              "certificates of that authority are refused",  "add it and reload"},
});
// clang-format on

const KindRow& row_of(TlsTerm::Kind kind) { return kinds[static_cast<std::size_t>(kind)]; }

WallMillis millis_of(const ASN1_TIME* time, WallMillis otherwise) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return otherwise;
  const std::time_t seconds = ::timegm(&parts);
  return seconds < 0 ? 0 : static_cast<WallMillis>(seconds) * 1000;
}

std::string time_text(WallMillis at) {
  const auto seconds = static_cast<std::time_t>(at / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[sizeof "9999-12-31T23:59:59Z"];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

// Control characters are escaped.
std::string name_text(const X509_NAME* name) {
  BIO* const memory = BIO_new(BIO_s_mem());
  std::string text;
  if (memory != nullptr && X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253) > 0) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory, &data);
    text.assign(data, static_cast<std::size_t>(size));
  }
  BIO_free(memory);
  return text;
}

TlsTerm term_of(Kind kind, const std::string& file, const X509* certificate) {
  return {kind, file, name_text(X509_get_subject_name(certificate)),
          millis_of(X509_get0_notBefore(certificate), 0),
          millis_of(X509_get0_notAfter(certificate), TlsTerm::no_end)};
}

TlsTerm term_of(const std::string& file, const X509_CRL* list) {
  return {Kind::list, file, name_text(X509_CRL_get_issuer(list)),
          millis_of(X509_CRL_get0_lastUpdate(list), 0),
          millis_of(X509_CRL_get0_nextUpdate(list), TlsTerm::no_end)};
}

void add_identity(TlsTerms& terms, SSL_CTX* context, const std::string& file) {
  const X509* const own = SSL_CTX_get0_certificate(context);
  if (own != nullptr) terms.push_back(term_of(Kind::certificate, file, own));
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(context, &chain);
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    const X509* const each = sk_X509_value(chain, i);
    // A root that stands there, too, is for nothing: clients have their own.
    const bool is_root =
        X509_NAME_cmp(X509_get_subject_name(each), X509_get_issuer_name(each)) == 0;
    if (!is_root) terms.push_back(term_of(Kind::chain, file, each));
  }
}

// Each authority of a cafile needs a list. What capath has is looked for when it is needed.
void add_missing(TlsTerms& terms, const std::vector<std::string>& signers,
                 const std::string& file) {
  for (const std::string& each : signers) {
    const bool has_list = std::ranges::any_of(terms, [&](const TlsTerm& term) {
      return (term.kind == Kind::list || term.kind == Kind::no_list) && term.name == each;
    });
    if (!has_list) terms.push_back({Kind::no_list, file, each});
  }
}

// OpenSSL takes the one that holds.
bool is_replaced(const TlsTerm& term, const TlsTerms& terms, WallMillis now) {
  return std::ranges::any_of(terms, [&](const TlsTerm& other) {
    if (other.kind != term.kind || other.name != term.name || other.from > now) return false;
    return other.until > (term.from > now ? now : term.until);
  });
}

// Nothing: it holds, and goes on to.
std::string state_text(const TlsTerm& term, WallMillis now) {
  const KindRow& row = row_of(term.kind);
  const std::string end = std::string{": "} + row.effect + "; " + row.remedy;
  if (term.kind == Kind::no_list) return end;
  if (term.until <= now) return " ran out at " + time_text(term.until) + end;
  if (term.from > now) {
    return " holds only from " + time_text(term.from) + ": " + row.effect +
           "; put another one there and reload, or set the clock";
  }
  if (term.until == TlsTerm::no_end || term.until - now > soon) return {};
  return " runs out at " + time_text(term.until) + "; " + row.remedy + " before that";
}

}  // namespace

TlsTerms terms_of(SSL_CTX* context, const TlsSettings& settings) {
  TlsTerms terms;
  add_identity(terms, context, settings.certfile);
  if (!settings.require_certificate) return terms;
  std::vector<std::string> signers;
  STACK_OF(X509_OBJECT)* const all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
  for (int i = 0; i < sk_X509_OBJECT_num(all); ++i) {
    X509_OBJECT* const each = sk_X509_OBJECT_value(all, i);
    if (X509* const authority = X509_OBJECT_get0_X509(each); authority != nullptr) {
      terms.push_back(term_of(Kind::authority, settings.cafile, authority));
      if (X509_check_ca(authority) != 0) signers.push_back(terms.back().name);
    }
    const X509_CRL* const list = X509_OBJECT_get0_X509_CRL(each);
    if (list != nullptr) terms.push_back(term_of(settings.crlfile, list));
  }
  if (settings.crlfile.empty()) {
    std::erase_if(terms, [](const TlsTerm& each) { return each.kind == Kind::list; });
  } else if (settings.capath.empty()) {
    add_missing(terms, signers, settings.crlfile);
  }
  return terms;
}

std::vector<TlsConcern> concerns_of(const TlsTerms& terms, WallMillis now) {
  std::vector<TlsConcern> concerns;
  for (const TlsTerm& term : terms) {
    const std::string state = state_text(term, now);
    if (state.empty() || is_replaced(term, terms, now)) continue;
    const KindRow& row = row_of(term.kind);
    const std::string key = row.key;
    concerns.push_back({key, key + ' ' + term.file + ": " + row.what + term.name + state,
                        term.from > now || term.until <= now});
  }
  return concerns;
}

}  // namespace naru::broker
