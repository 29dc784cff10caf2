// broker/auth/password_hash.cpp: the only file here that knows OpenSSL.

#include "broker/auth/password_hash.hpp"

#include <charconv>
#include <memory>
#include <optional>
#include <vector>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "storage/base/check.hpp"

namespace naru::broker {
namespace {

const unsigned char* raw(BytesView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* raw(Bytes& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

std::string encode_base64(BytesView bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // OpenSSL adds a final zero.
  const int size = EVP_EncodeBlock(raw(text), raw(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

// Only what encode_base64() writes: OpenSSL's own decoder forgives blanks and odd padding.
std::optional<Bytes> decode_base64(std::string_view text, std::size_t most) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > 4 * (most / 3 + 1)) return {};
  Bytes bytes(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(raw(bytes), raw(text), static_cast<int>(text.size()));
  if (size < 0) return {};
  for (std::size_t i = text.size(); i > 0 && text[i - 1] == '=' && !bytes.empty(); --i) {
    bytes.pop_back();
  }
  if (bytes.size() > most || encode_base64(bytes) != text) return {};
  return bytes;
}

Bytes sha512(BytesView password, BytesView salt) {
  Bytes out(PasswordHash::hash_bytes, '\0');
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free};
  unsigned size = 0;
  NARU_CHECK(context != nullptr);
  NARU_CHECK(EVP_DigestInit_ex(context.get(), EVP_sha512(), nullptr) == 1);
  NARU_CHECK(EVP_DigestUpdate(context.get(), password.data(), password.size()) == 1);
  NARU_CHECK(EVP_DigestUpdate(context.get(), salt.data(), salt.size()) == 1);
  NARU_CHECK(EVP_DigestFinal_ex(context.get(), raw(out), &size) == 1);
  NARU_CHECK(size == out.size());
  return out;
}

Bytes pbkdf2(BytesView password, BytesView salt, std::uint32_t iterations) {
  Bytes out(PasswordHash::hash_bytes, '\0');
  const BytesView some = password.data() == nullptr ? BytesView{""} : password;
  NARU_CHECK(PKCS5_PBKDF2_HMAC(some.data(), static_cast<int>(some.size()), raw(salt),
                               static_cast<int>(salt.size()), static_cast<int>(iterations),
                               EVP_sha512(), static_cast<int>(out.size()), raw(out)) == 1);
  return out;
}

std::vector<std::string_view> split(std::string_view text, char between) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(between);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Error fault(std::string text) { return {Errc::invalid, std::move(text)}; }

}  // namespace

Result<PasswordHash> parse_password_hash(std::string_view text) {
  const auto parts = split(text, '$');
  if (parts.size() < 3 || !parts[0].empty()) {
    return fault("the password is not hashed; run mosquitto_passwd -U on the file");
  }
  PasswordHash result;
  if (parts[1] == "6" && parts.size() == 4) {
    result.kind = PasswordHash::Kind::sha512;
  } else if (parts[1] == "7" && parts.size() == 5) {
    const char* const end = parts[2].data() + parts[2].size();
    const auto [stop, failure] = std::from_chars(parts[2].data(), end, result.iterations);
    if (failure != std::errc{} || stop != end || result.iterations == 0 ||
        result.iterations > PasswordHash::iterations_most) {
      return fault("the number of iterations is not within 1 to 10000000");
    }
  } else if (parts[1] == "argon2id") {
    return fault(
        "argon2id hashes are not supported; set the password anew with "
        "mosquitto_passwd -H sha512-pbkdf2");
  } else {
    return fault("the hash has none of the forms $6$SALT$HASH and $7$ITERATIONS$SALT$HASH");
  }
  auto salt = decode_base64(parts[parts.size() - 2], PasswordHash::salt_bytes_most);
  auto hash = decode_base64(parts.back(), PasswordHash::hash_bytes);
  if (!salt) return fault("the salt is not base64 of 1 to 64 bytes");
  if (!hash || hash->size() != PasswordHash::hash_bytes) {
    return fault("the hash is not base64 of 64 bytes");
  }
  result.salt = std::move(*salt);
  result.hash = std::move(*hash);
  return result;
}

std::string format_password_hash(const PasswordHash& hash) {
  std::string text = hash.kind == PasswordHash::Kind::sha512
                         ? "$6$"
                         : "$7$" + std::to_string(hash.iterations) + "$";
  return text.append(encode_base64(hash.salt)).append("$").append(encode_base64(hash.hash));
}

PasswordHash hash_password(BytesView password, BytesView salt, std::uint32_t iterations) {
  NARU_CHECK(iterations > 0 && iterations <= PasswordHash::iterations_most);
  return {PasswordHash::Kind::pbkdf2, iterations, Bytes{salt}, pbkdf2(password, salt, iterations)};
}

bool is_password(const PasswordHash& hash, BytesView password) {
  const Bytes given = hash.kind == PasswordHash::Kind::sha512
                          ? sha512(password, hash.salt)
                          : pbkdf2(password, hash.salt, hash.iterations);
  return given.size() == hash.hash.size() &&
         CRYPTO_memcmp(given.data(), hash.hash.data(), given.size()) == 0;
}

Bytes make_salt() {
  Bytes salt(PasswordHash::salt_bytes_usual, '\0');
  NARU_CHECK(RAND_bytes(raw(salt), static_cast<int>(salt.size())) == 1);
  return salt;
}

}  // namespace naru::broker
