#include "broker/auth/password_hash.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <vector>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "broker/auth/digest.hpp"
#include "storage/base/base64.hpp"
#include "storage/base/check.hpp"

namespace naru::broker {
namespace {

const unsigned char* raw(BytesView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* raw(Bytes& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

// Of 1 to `most` bytes.
std::optional<Bytes> decode_some(std::string_view text, std::size_t most) {
  if (text.empty() || text.size() > 4 * (most / 3 + 1)) return std::nullopt;
  auto bytes = decode_base64(text);
  if (!bytes || bytes->size() > most) return std::nullopt;
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

bool read_iterations(std::string_view text, std::uint32_t& iterations) {
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, iterations);
  return failure == std::errc{} && stop == end && iterations > 0 &&
         iterations <= PasswordHash::iterations_most;
}

struct Form {
  std::string_view name;
  PasswordHash::Kind kind;
  std::size_t parts;  // Between the '$', with what stands before the first.
  std::size_t hash_bytes;
};
constexpr auto forms = std::to_array<Form>({
    {"6", PasswordHash::Kind::sha512, 4, PasswordHash::hash_bytes},
    {"7", PasswordHash::Kind::pbkdf2, 5, PasswordHash::hash_bytes},
    {"scram-sha-256", PasswordHash::Kind::scram, 6, sha256_bytes},
});

}  // namespace

Result<PasswordHash> parse_password_hash(std::string_view text) {
  const auto parts = split(text, '$');
  if (parts.size() < 3 || !parts[0].empty()) {
    return fault("the password is not hashed; run mosquitto_passwd -U on the file");
  }
  PasswordHash result;
  if (parts[1] == "argon2id") {
    return fault(
        "argon2id hashes are not supported; set the password anew with "
        "mosquitto_passwd -H sha512-pbkdf2");
  }
  const auto* const form = std::ranges::find_if(
      forms, [&](const Form& each) { return each.name == parts[1] && each.parts == parts.size(); });
  if (form == forms.end()) {
    return fault(
        "the hash has none of the forms $6$SALT$HASH, $7$ITERATIONS$SALT$HASH and "
        "$scram-sha-256$ITERATIONS$SALT$STOREDKEY$SERVERKEY");
  }
  result.kind = form->kind;
  std::size_t at = 2;
  if (form->kind != PasswordHash::Kind::sha512 &&
      !read_iterations(parts[at++], result.iterations)) {
    return fault("the number of iterations is not within 1 to 10000000");
  }
  auto salt = decode_some(parts[at++], PasswordHash::salt_bytes_most);
  if (!salt) return fault("the salt is not base64 of 1 to 64 bytes");
  result.salt = std::move(*salt);
  for (Bytes* const to : {&result.hash, &result.server_key}) {
    if (at == parts.size()) break;
    auto bytes = decode_some(parts[at++], form->hash_bytes);
    if (!bytes || bytes->size() != form->hash_bytes) {
      return fault("the hash is not base64 of " + std::to_string(form->hash_bytes) + " bytes");
    }
    *to = std::move(*bytes);
  }
  return result;
}

std::string format_password_hash(const PasswordHash& hash) {
  const auto* const form = std::ranges::find(forms, hash.kind, &Form::kind);
  std::string text = "$" + std::string{form->name} + "$";
  if (hash.kind != PasswordHash::Kind::sha512) text += std::to_string(hash.iterations) + "$";
  text.append(encode_base64(hash.salt)).append("$").append(encode_base64(hash.hash));
  if (!hash.server_key.empty()) text.append("$").append(encode_base64(hash.server_key));
  return text;
}

PasswordHash hash_password(BytesView password, BytesView salt, std::uint32_t iterations) {
  NARU_CHECK(iterations > 0 && iterations <= PasswordHash::iterations_most);
  return {
      PasswordHash::Kind::pbkdf2, iterations, Bytes{salt}, pbkdf2(password, salt, iterations), {}};
}

PasswordHash hash_for_scram(BytesView password, BytesView salt) {
  ScramKeys keys = make_scram_keys(password, salt, ScramKeys::iterations_usual);
  return {PasswordHash::Kind::scram, keys.iterations, std::move(keys.salt),
          std::move(keys.stored_key), std::move(keys.server_key)};
}

bool is_password(const PasswordHash& hash, BytesView password) {
  if (hash.kind == PasswordHash::Kind::scram) return is_password(hash.scram_keys(), password);
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
