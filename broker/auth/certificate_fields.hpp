// broker/auth/certificate_fields.hpp
//
// What the certificate of a client says that a pattern of an acl_file may name.
//
// Sans-IO. PeerCertificate holds a reference to what OpenSSL keeps for the connection anyway, and
// reads a field when it is asked for. Any thread; value() changes nothing.
// Owned by PeerNames. Bounded by: limits::handshake_bytes, as the certificate is.
// Spec: RFC 5280 sections 4.1.2.2, 4.1.2.6, 4.2.1.6.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "storage/base/bytes.hpp"

struct x509_st;  // OpenSSL's X509.

namespace naru::broker {

enum class CertificateField : std::uint8_t {
  common_name,
  organization,
  unit,
  serial,  // In upper-case hexadecimal digits, as `openssl x509 -serial` prints it.
  dns_name,
  uri,
};

struct CertificateFieldRow {
  std::string_view name;  // In ${cert.NAME}.
  CertificateField field;
};
inline constexpr auto certificate_fields = std::to_array<CertificateFieldRow>({
    {"cn", CertificateField::common_name},
    {"o", CertificateField::organization},
    {"ou", CertificateField::unit},
    {"serial", CertificateField::serial},
    {"san.dns", CertificateField::dns_name},
    {"san.uri", CertificateField::uri},
});

class PeerCertificate {
 public:
  PeerCertificate() = default;                                        // There is none.
  explicit PeerCertificate(x509_st* reference) : x509_(reference) {}  // Takes it over.

  explicit operator bool() const { return x509_ != nullptr; }
  x509_st* get() const { return x509_.get(); }
  // The first where there are several; empty: it has none, or one with a zero byte in it.
  Bytes value(CertificateField field) const;
  Bytes subject() const;  // As RFC 2253 has it.

 private:
  struct Release {
    void operator()(x509_st* reference) const;
  };
  std::unique_ptr<x509_st, Release> x509_;
};

}  // namespace naru::broker
