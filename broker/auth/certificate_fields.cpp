#include "broker/auth/certificate_fields.hpp"

#include <openssl/bn.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace naru::broker {

namespace {

Bytes text_of(const X509* certificate, int kind) {
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, kind, -1);
  if (at < 0) return {};
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return {};
  Bytes value{reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)};
  OPENSSL_free(text);
  return value;
}

Bytes serial_of(const X509* certificate) {
  BIGNUM* const number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr);
  char* const digits = number == nullptr ? nullptr : BN_bn2hex(number);
  Bytes value = digits == nullptr ? Bytes{} : Bytes{digits};
  OPENSSL_free(digits);
  BN_free(number);
  return value;
}

Bytes alternative_of(const X509* certificate, int kind) {
  auto* const names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  Bytes value;
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && value.empty(); ++i) {
    const GENERAL_NAME* const each = sk_GENERAL_NAME_value(names, i);
    if (each->type != kind) continue;
    value.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(each->d.ia5)),
                 static_cast<std::size_t>(ASN1_STRING_length(each->d.ia5)));
  }
  GENERAL_NAMES_free(names);
  return value;
}

Bytes read(const X509* certificate, CertificateField field) {
  switch (field) {
    case CertificateField::common_name: return text_of(certificate, NID_commonName);
    case CertificateField::organization: return text_of(certificate, NID_organizationName);
    case CertificateField::unit: return text_of(certificate, NID_organizationalUnitName);
    case CertificateField::serial: return serial_of(certificate);
    case CertificateField::dns_name: return alternative_of(certificate, GEN_DNS);
    case CertificateField::uri: return alternative_of(certificate, GEN_URI);
  }
  return {};
}

}  // namespace

void PeerCertificate::Release::operator()(x509_st* reference) const { X509_free(reference); }

Bytes PeerCertificate::value(CertificateField field) const {
  if (!x509_) return {};
  Bytes value = read(x509_.get(), field);
  // A zero byte would let "admin\0.example" pass for admin somewhere.
  return value.find('\0') == Bytes::npos ? value : Bytes{};
}

Bytes PeerCertificate::subject() const {
  BIO* const memory = BIO_new(BIO_s_mem());
  Bytes text;
  if (x509_ && memory != nullptr &&
      X509_NAME_print_ex(memory, X509_get_subject_name(x509_.get()), 0, XN_FLAG_RFC2253) > 0) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory, &data);
    text.assign(data, static_cast<std::size_t>(size));
  }
  BIO_free(memory);
  return text;
}

}  // namespace naru::broker
