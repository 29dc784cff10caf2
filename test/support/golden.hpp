// test/support/golden.hpp
//
// Golden is a file of frozen bytes, a line `name = hex` each: what one release wrote and every
// later one has to read. A test makes the bytes again and compares; what the file lacks is printed,
// ready to be added. Lines never change.
//
// Sans-IO but for reading its file. Owned by a test; one thread. Bounded by the file.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "storage/base/bytes.hpp"

namespace naru::test {

class Golden {
 public:
  explicit Golden(const std::string& path);

  // A failed check where the file has other bytes for the name, or none.
  void compare(const std::string& name, BytesView bytes);
  // Names in the file that were never compared.
  std::vector<std::string> left_over() const;

 private:
  std::map<std::string, Bytes> lines_;
  std::set<std::string> compared_;
  std::string path_;
};

}  // namespace naru::test
