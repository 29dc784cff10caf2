#include "broker/auth/text_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

namespace naru::broker {

static Error unreadable(const std::string& why) {
  return {Errc::io, why + "; it must be a file that narud may read"};
}

Result<std::string> read_text(const std::string& path, std::size_t most) {
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  if (failure) return unreadable(failure.message());
  const Error too_large{Errc::io, "it has more than " + std::to_string(most) +
                                      " bytes; shorten it, or name another file"};
  if (size > most) return too_large;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "rb"),
                                                             &std::fclose};
  if (!file) return unreadable(std::strerror(errno));
  std::string text;
  char block[4096];
  while (const std::size_t n = std::fread(block, 1, sizeof block, file.get())) {
    text.append(block, n);
    if (text.size() > most) return too_large;
  }
  if (std::ferror(file.get()) != 0) return unreadable(std::strerror(errno));
  return text;
}

}  // namespace naru::broker
