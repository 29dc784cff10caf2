#include "test/support/golden.hpp"

#include <fstream>

#include <catch2/catch.hpp>

#include "test/support/hex.hpp"

namespace naru::test {

Golden::Golden(const std::string& path) : path_(path) {
  std::ifstream file{path};
  for (std::string line; std::getline(file, line);) {
    const std::size_t equals = line.find(" = ");
    if (line.empty() || line[0] == '#' || equals == std::string::npos) continue;
    lines_[line.substr(0, equals)] = from_hex(line.substr(equals + 3));
  }
}

void Golden::compare(const std::string& name, BytesView bytes) {
  compared_.insert(name);
  const auto found = lines_.find(name);
  if (found == lines_.end()) {
    FAIL_CHECK(path_ + " lacks:\n" + name + " = " + to_hex(bytes));
    return;
  }
  INFO(name);
  CHECK(to_hex(bytes) == to_hex(found->second));
}

std::vector<std::string> Golden::left_over() const {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : lines_) {
    if (!compared_.contains(name)) names.push_back(name);
  }
  return names;
}

}  // namespace naru::test
