#include "broker/auth/text_file.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

namespace naru::broker {

Result<std::string> read_text(const std::string& path, std::size_t most) {
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  if (failure) return Error{Errc::io, "cannot read " + path + ": " + failure.message()};
  if (size > most) return Error{Errc::invalid, path + " is too large"};
  std::ifstream in{path, std::ios::binary};
  std::string text(std::istreambuf_iterator<char>{in}, {});
  if (!in) return Error{Errc::io, "cannot read " + path};
  return text;
}

}  // namespace naru::broker
