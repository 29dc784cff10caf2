#include "broker/auth/digest.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "storage/base/check.hpp"

namespace naru::broker {

namespace {

const unsigned char* raw(BytesView bytes) {
  static constexpr unsigned char none = 0;
  return bytes.empty() ? &none : reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* raw(Bytes& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

}  // namespace

Bytes sha256(BytesView text) {
  Bytes out(sha256_bytes, '\0');
  unsigned size = 0;
  NARU_CHECK(EVP_Digest(raw(text), text.size(), raw(out), &size, EVP_sha256(), nullptr) == 1);
  return out;
}

Bytes hmac_sha256(BytesView key, BytesView text) {
  Bytes out(sha256_bytes, '\0');
  unsigned size = 0;
  NARU_CHECK(HMAC(EVP_sha256(), raw(key), static_cast<int>(key.size()), raw(text), text.size(),
                  raw(out), &size) != nullptr);
  return out;
}

Bytes pbkdf2_sha256(BytesView password, BytesView salt, std::uint32_t iterations) {
  Bytes out(sha256_bytes, '\0');
  NARU_CHECK(PKCS5_PBKDF2_HMAC(reinterpret_cast<const char*>(raw(password)),
                               static_cast<int>(password.size()), raw(salt),
                               static_cast<int>(salt.size()), static_cast<int>(iterations),
                               EVP_sha256(), static_cast<int>(out.size()), raw(out)) == 1);
  return out;
}

bool is_same(BytesView a, BytesView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Bytes random_bytes(std::size_t size) {
  Bytes bytes(size, '\0');
  NARU_CHECK(RAND_bytes(raw(bytes), static_cast<int>(size)) == 1);
  return bytes;
}

}  // namespace naru::broker
