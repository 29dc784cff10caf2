#include "broker/auth/token_keys.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "broker/auth/digest.hpp"
#include "broker/auth/text_file.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

template <auto free>
struct Freer {
  template <class T>
  void operator()(T* thing) const {
    free(thing);
  }
};
using Verifier = std::shared_ptr<EVP_PKEY>;
using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freer<ECDSA_SIG_free>>;

constexpr std::size_t secret_bytes_least = 32;  // RFC 7518, 3.2.
constexpr int rsa_bits_least = 2048;            // 3.3.
constexpr std::size_t p256_bytes = 32;          // Of each half of a signature.

const unsigned char* raw(BytesView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Error fault(std::string text) { return {Errc::invalid, std::move(text)}; }

// One block between BEGIN and END lines.
struct Block {
  char* label = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;

  Block() = default;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() {
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(data);
  }
};

Verifier verifier_of(const Block& block) {
  const unsigned char* data = block.data;
  const std::string_view label = block.label;
  EVP_PKEY* key = nullptr;
  if (label == "PUBLIC KEY") key = d2i_PUBKEY(nullptr, &data, block.size);
  if (label == "RSA PUBLIC KEY") key = d2i_PublicKey(EVP_PKEY_RSA, nullptr, &data, block.size);
  if (label == "CERTIFICATE") {
    const Certificate certificate{d2i_X509(nullptr, &data, block.size)};
    if (certificate) key = X509_get_pubkey(certificate.get());
  }
  return {key, EVP_PKEY_free};
}

bool is_p256(const EVP_PKEY* key) {
  char group[32] = {};
  std::size_t size = 0;
  return EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
         std::string_view{group, size} == "prime256v1";
}

// JOSE has both halves of an ES256 signature side by side, OpenSSL wants them in ASN.1.
Bytes asn1_of(BytesView signature) {
  if (signature.size() != 2 * p256_bytes) return {};
  const Signature parts{ECDSA_SIG_new()};
  BIGNUM* const r = BN_bin2bn(raw(signature), p256_bytes, nullptr);
  BIGNUM* const s = BN_bin2bn(raw(signature.substr(p256_bytes)), p256_bytes, nullptr);
  if (!parts || ECDSA_SIG_set0(parts.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return {};
  }
  unsigned char* encoded = nullptr;
  const int size = i2d_ECDSA_SIG(parts.get(), &encoded);
  if (size <= 0) return {};
  Bytes text{reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(size)};
  OPENSSL_free(encoded);
  return text;
}

bool has_signed(EVP_PKEY* key, BytesView text, BytesView signature) {
  const Digest digest{EVP_MD_CTX_new()};
  const bool right =
      digest && !signature.empty() &&
      EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
      EVP_DigestVerify(digest.get(), raw(signature), signature.size(), raw(text), text.size()) == 1;
  ERR_clear_error();
  return right;
}

std::uint64_t name_of(BytesView key) { return std::hash<BytesView>{}(key) | 1; }

}  // namespace

Result<TokenKeys> TokenKeys::parse_secret(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.starts_with("-----BEGIN"))
    return fault("it holds a key in PEM: name it in jwt_key_file");
  if (text.size() < secret_bytes_least) {
    return fault("the secret must have at least 32 bytes: 'openssl rand -hex 32' makes one");
  }
  TokenKeys keys;
  keys.keys_.push_back({TokenAlgorithm::hs256, name_of(text), Bytes{text}, nullptr});
  return keys;
}

Result<TokenKeys::Key> TokenKeys::key_of(std::shared_ptr<evp_pkey_st> verifier) {
  Key key;
  const int kind = EVP_PKEY_get_base_id(verifier.get());
  if (kind == EVP_PKEY_RSA) {
    key.algorithm = TokenAlgorithm::rs256;
    if (EVP_PKEY_get_bits(verifier.get()) < rsa_bits_least) {
      return fault("is an RSA key of less than 2048 bits");
    }
  } else if (kind == EVP_PKEY_EC && is_p256(verifier.get())) {
    key.algorithm = TokenAlgorithm::es256;
  } else {
    return fault("is neither an RSA key nor one of the curve P-256");
  }
  unsigned char* encoded = nullptr;
  const int size = i2d_PUBKEY(verifier.get(), &encoded);
  if (size <= 0) return fault("cannot be read");
  key.name = name_of({reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(size)});
  OPENSSL_free(encoded);
  key.verifier = std::move(verifier);
  return key;
}

Result<TokenKeys> TokenKeys::parse_public(std::string_view text) {
  const Bio memory{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
  TokenKeys keys;
  while (true) {
    Block block;
    const std::string title = "block " + std::to_string(keys.keys_.size() + 1) + " ";
    if (PEM_read_bio(memory.get(), &block.label, &block.header, &block.data, &block.size) != 1) {
      const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      ERR_clear_error();
      if (!is_end) return fault(title + "cannot be read");
      break;
    }
    const std::string_view label = block.label;
    if (label.find("PRIVATE") != label.npos) {
      return fault(title +
                   "is a private key, which only the issuer may have: write the public "
                   "one, 'openssl pkey -pubout'");
    }
    Verifier verifier = verifier_of(block);
    auto key = verifier ? key_of(std::move(verifier)) : Result<Key>{fault("cannot be read")};
    ERR_clear_error();
    if (!key) return fault(title + key.error().text);
    keys.keys_.push_back(std::move(*key));
    if (keys.keys_.size() > limits::token_keys) return fault("it holds too many keys");
  }
  if (keys.keys_.empty()) return fault("it must hold public keys or certificates in PEM");
  return keys;
}

static Result<TokenKeys> load(const std::string& path,
                              Result<TokenKeys> (*parse)(std::string_view)) {
  const auto text = read_text(path, limits::token_key_file_bytes);
  return text ? parse(*text) : Result<TokenKeys>{text.error()};
}

Result<TokenKeys> TokenKeys::load_secret(const std::string& path) {
  return load(path, &parse_secret);
}

Result<TokenKeys> TokenKeys::load_public(const std::string& path) {
  return load(path, &parse_public);
}

std::uint64_t TokenKeys::signer_of(const TokenParts& token) const {
  const Bytes asn1 = token.algorithm == TokenAlgorithm::es256 ? asn1_of(token.signature) : Bytes{};
  for (const Key& key : keys_) {
    if (key.algorithm != token.algorithm) continue;
    bool right = false;
    switch (key.algorithm) {
      case TokenAlgorithm::hs256:
        right = is_same(hmac_sha256(key.secret, token.signed_text), token.signature);
        break;
      case TokenAlgorithm::rs256:
        right = has_signed(key.verifier.get(), token.signed_text, token.signature);
        break;
      case TokenAlgorithm::es256:
        right = has_signed(key.verifier.get(), token.signed_text, asn1);
        break;
    }
    if (right) return key.name;
  }
  return 0;
}

bool TokenKeys::has(std::uint64_t signer) const {
  return std::ranges::any_of(keys_, [&](const Key& key) { return key.name == signer; });
}

}  // namespace naru::broker
