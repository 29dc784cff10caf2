// test/broker/auth/certificate_fields_test.cpp
//
// Goal: a field of a certificate is what stands there first, whatever its encoding, and nothing
// where a zero byte stands in it. Method: certificates made field by field; nobody signs them.

#include "broker/auth/certificate_fields.hpp"

#include <catch2/catch.hpp>

#include <openssl/bn.h>
#include <openssl/x509v3.h>

namespace naru::broker {
namespace {

using std::literals::operator""s;
using Field = CertificateField;

struct Maker {
  X509* const made = X509_new();

  Maker& with(int kind, BytesView value, int encoding = MBSTRING_UTF8) {
    REQUIRE(X509_NAME_add_entry_by_NID(X509_get_subject_name(made), kind, encoding,
                                       reinterpret_cast<const unsigned char*>(value.data()),
                                       static_cast<int>(value.size()), -1, 0) == 1);
    return *this;
  }
  Maker& serial(const char* digits) {
    BIGNUM* number = nullptr;
    REQUIRE(BN_hex2bn(&number, digits) != 0);
    REQUIRE(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(made)) != nullptr);
    BN_free(number);
    return *this;
  }
  Maker& alternatives(std::initializer_list<std::pair<int, BytesView>> names) {
    GENERAL_NAMES* const list = GENERAL_NAMES_new();
    for (const auto& [kind, value] : names) {
      ASN1_IA5STRING* const text = ASN1_IA5STRING_new();
      ASN1_STRING_set(text, value.data(), static_cast<int>(value.size()));
      GENERAL_NAME* const name = GENERAL_NAME_new();
      GENERAL_NAME_set0_value(name, kind, text);
      sk_GENERAL_NAME_push(list, name);
    }
    REQUIRE(X509_add1_ext_i2d(made, NID_subject_alt_name, list, 0, 0) == 1);
    GENERAL_NAMES_free(list);
    return *this;
  }
};

}  // namespace

TEST_CASE("A certificate shows its fields, the first of several", "[auth][tls]") {
  Maker maker;
  maker.with(NID_organizationName, "Fleet \xc3\xa9")
      .with(NID_organizationalUnitName, "trucks")
      .with(NID_organizationalUnitName, "cars")
      .with(NID_commonName, "\xe9", MBSTRING_ASC)  // Latin 1.
      .serial("00AB01CD")
      .alternatives({{GEN_EMAIL, "a@b"},
                     {GEN_DNS, "one.example"},
                     {GEN_URI, "urn:car:1"},
                     {GEN_DNS, "two.example"}});
  const PeerCertificate certificate{maker.made};
  REQUIRE(certificate);
  CHECK(certificate.value(Field::organization) == "Fleet \xc3\xa9");
  CHECK(certificate.value(Field::unit) == "trucks");
  CHECK(certificate.value(Field::common_name) == "\xc3\xa9");
  CHECK(certificate.value(Field::serial) == "AB01CD");
  CHECK(certificate.value(Field::dns_name) == "one.example");
  CHECK(certificate.value(Field::uri) == "urn:car:1");
}

TEST_CASE("A field that is missing or has a zero byte in it is empty", "[auth][tls]") {
  const PeerCertificate bare{X509_new()};
  for (const CertificateFieldRow& row : certificate_fields) {
    CAPTURE(row.name);
    if (row.field != Field::serial) CHECK(bare.value(row.field).empty());
    CHECK(PeerCertificate{}.value(row.field).empty());
  }
  Maker maker;
  maker.with(NID_commonName, "admin\0.example"s).alternatives({{GEN_DNS, "admin\0.example"s}});
  const PeerCertificate odd{maker.made};
  CHECK(odd.value(Field::common_name).empty());
  CHECK(odd.value(Field::dns_name).empty());
}

}  // namespace naru::broker
