// The files a configuration is read from, and how a problem in them is written.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "broker/app/config_file.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

// mosquitto's order: a.conf before B.conf, and A.conf just before a.conf.
bool is_before(const std::string& one, const std::string& other) {
  const auto rank = [](char c) {
    return std::pair{c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c, c};
  };
  return std::ranges::lexicographical_compare(one, other, {}, rank, rank);
}

}  // namespace

std::string to_string(const Problem& problem) {
  std::string text = problem.file;
  if (problem.line != 0) text += ":" + std::to_string(problem.line);
  return text + (problem.kind == Problem::Kind::error ? ": error: " : ": notice: ") + problem.text;
}

Result<SourceFile> read_source(const std::string& path) {
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  if (failure) return Error{Errc::io, "cannot read " + path + ": " + failure.message()};
  if (size > limits::config_file_bytes) return Error{Errc::invalid, path + " is too large"};
  std::ifstream in{path, std::ios::binary};
  SourceFile file{path, std::string(std::istreambuf_iterator<char>{in}, {})};
  if (!in) return Error{Errc::io, "cannot read " + path};
  return file;
}

Result<std::vector<SourceFile>> read_directory(const std::string& directory) {
  std::error_code failure;
  std::vector<std::string> names;
  std::filesystem::directory_iterator entries{directory, failure};
  if (failure) return Error{Errc::io, "cannot read " + directory + ": " + failure.message()};
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".conf") && !name.starts_with('.')) names.push_back(entry.path().string());
  }
  std::ranges::sort(names, is_before);
  std::vector<SourceFile> files;
  for (const std::string& name : names) {
    auto file = read_source(name);
    if (!file) return file.error();
    files.push_back(std::move(*file));
  }
  return files;
}

ConfigOutcome load_config(const std::string& path) {
  const auto file = read_source(path);
  if (file) return parse_config(*file);
  return {{}, {{Problem::Kind::error, path, 0, file.error().text}}};
}

}  // namespace naru::broker
