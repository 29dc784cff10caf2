// broker/auth/password_file.hpp
//
// PasswordFile knows users by their hashed passwords, as mosquitto's password_file lists them: one
// USER:HASH a line, comments begin with '#' in the first column.
//
// Lives on any thread: nothing changes after it was read; a reload makes a new one. Owned by who
// read it. Bounded by limits::password_file_bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/auth/password_hash.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

enum class PasswordVerdict : std::uint8_t {
  accepted,
  unknown_user,
  wrong_password,
  no_password,  // Or an empty one, which nobody gets in with: not even whose line is made of it.
};

class PasswordFile {
 public:
  PasswordFile() = default;  // Knows nobody.

  // On an error its text names all lines that are wrong, one below the other.
  static Result<PasswordFile> parse(std::string_view text, const std::string& name);
  // Errc::io: the file cannot be read, and the text does not name it.
  static Result<PasswordFile> load(const std::string& path);

  // Does for an unknown user the work of some line, always the same one for the same name, so that
  // names cannot be found by timing.
  PasswordVerdict check(std::string_view user, BytesView password) const;
  // True: check() may hold up a shard for this user; call it elsewhere.
  bool is_costly(std::string_view user) const;
  // Stands for the line of this user and changes with it; 0: there is none.
  std::uint64_t proof_of(std::string_view user) const;
  // Whether any line serves SCRAM, and this user's.
  bool has_scram() const { return has_scram_; }
  std::optional<ScramKeys> scram_keys(std::string_view user) const;
  std::size_t size() const { return hashes_.size(); }

 private:
  std::string add_line(std::string_view line);
  const PasswordHash* find(std::string_view user) const;
  const PasswordHash& work_of(const PasswordHash* known, std::string_view user) const;

  boost::unordered_flat_map<std::string, std::size_t> users_;  // -> hashes_
  std::vector<PasswordHash> hashes_;
  bool has_scram_ = false;
};

// The line for a user, $7$ with the usual iterations. The user's name must be able to stand in one.
Result<std::string> hash_line(std::string_view user, BytesView password, BytesView salt);
// The same for SCRAM-SHA-256.
Result<std::string> scram_line(std::string_view user, BytesView password, BytesView salt);

}  // namespace naru::broker
