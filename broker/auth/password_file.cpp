// broker/auth/password_file.cpp: lines and look-up; the arithmetic is password_hash.cpp's.

#include "broker/auth/password_file.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "broker/auth/digest.hpp"
#include "broker/auth/text_file.hpp"
#include "storage/base/limits.hpp"
#include "storage/base/options.hpp"

namespace naru::broker {
namespace {

bool can_stand_in_line(std::string_view user) {
  const auto breaks = [](char c) { return c == ':' || (c >= 0 && c < ' ') || c == 0x7f; };
  return !user.empty() && user.size() <= limits::string_bytes && trim(user) == user &&
         !user.starts_with('#') && std::none_of(user.begin(), user.end(), breaks);
}

// Stands for a name in this process; nobody else can work it out.
std::uint64_t number_of(std::string_view user) {
  static const Bytes secret = random_bytes(sha256_bytes);
  const Bytes digest = hmac_sha256(secret, user);
  std::uint64_t number = 0;
  std::memcpy(&number, digest.data(), sizeof number);
  return number;
}

}  // namespace

Result<PasswordFile> PasswordFile::parse(std::string_view text, const std::string& name) {
  PasswordFile file;
  const std::string faults = faults_of_lines(text, name, [&](std::string_view line, unsigned) {
    return line.starts_with('#') || trim(line).empty() ? std::string{} : file.add_line(line);
  });
  if (!faults.empty()) return Error{Errc::invalid, faults};
  return file;
}

std::string PasswordFile::add_line(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return "expected USER:HASH; there is no ':'";
  const std::string_view user = trim(line.substr(0, colon));
  if (!can_stand_in_line(user)) return "the name of the user is empty or has odd characters";
  auto hash = parse_password_hash(trim(line.substr(colon + 1)));
  if (!hash) return hash.error().text;
  if (!users_.emplace(user, hashes_.size()).second) {
    return "the user '" + std::string{user} + "' stands in an earlier line already";
  }
  has_scram_ |= hash->kind == PasswordHash::Kind::scram;
  hashes_.push_back(std::move(*hash));
  return {};
}

Result<PasswordFile> PasswordFile::load(const std::string& path) {
  const auto text = read_text(path, limits::password_file_bytes);
  if (!text) return text.error();
  return parse(*text, path);
}

const PasswordHash* PasswordFile::find(std::string_view user) const {
  const auto found = users_.find(std::string{user});
  return found == users_.end() ? nullptr : &hashes_[found->second];
}

// What is checked for this user. Unknown names fall to the lines as known ones have them, so that
// neither kind nor iterations tell them apart; the choice is made for everybody, as it takes time.
const PasswordHash& PasswordFile::work_of(const PasswordHash* known, std::string_view user) const {
  static const PasswordHash nobodys;
  const std::uint64_t number = number_of(user);
  if (known != nullptr) return *known;
  return hashes_.empty() ? nobodys : hashes_[number % hashes_.size()];
}

PasswordVerdict PasswordFile::check(std::string_view user, BytesView password) const {
  const PasswordHash* const hash = find(user);
  const bool right = is_password(work_of(hash, user), password);
  if (hash == nullptr) return PasswordVerdict::unknown_user;
  if (password.empty()) return PasswordVerdict::no_password;
  return right ? PasswordVerdict::accepted : PasswordVerdict::wrong_password;
}

std::uint64_t PasswordFile::proof_of(std::string_view user) const {
  const PasswordHash* const hash = find(user);
  return hash == nullptr ? 0 : std::hash<std::string>{}(format_password_hash(*hash)) | 1;
}

bool PasswordFile::is_costly(std::string_view user) const {
  return work_of(find(user), user).is_costly();
}

std::optional<ScramKeys> PasswordFile::scram_keys(std::string_view user) const {
  const PasswordHash* const hash = find(user);
  if (hash == nullptr || hash->kind != PasswordHash::Kind::scram) return std::nullopt;
  return hash->scram_keys();
}

static Result<std::string> line_of(std::string_view user, const PasswordHash& hash) {
  if (!can_stand_in_line(user)) {
    return Error{Errc::invalid,
                 "a user's name must not be empty, begin with '#' or a blank, or "
                 "hold ':' or control characters"};
  }
  return std::string{user}.append(":").append(format_password_hash(hash));
}

Result<std::string> hash_line(std::string_view user, BytesView password, BytesView salt) {
  return line_of(user, hash_password(password, salt));
}

Result<std::string> scram_line(std::string_view user, BytesView password, BytesView salt) {
  return line_of(user, hash_for_scram(password, salt));
}

}  // namespace naru::broker
