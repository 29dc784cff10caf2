// tools/naru/file_argument.cpp
#include "tools/naru/file_argument.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace naru::tools {

Result<Bytes> read_file(const std::string& path) {
  std::error_code unknown;
  if (std::filesystem::is_directory(path, unknown)) {
    return Error{Errc::invalid, "cannot read " + path + ": it is a directory"};
  }
  std::ifstream file{path, std::ios::binary};
  if (!file) return Error{Errc::invalid, "cannot read " + path + ": " + std::strerror(errno)};
  return Bytes{std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace naru::tools
