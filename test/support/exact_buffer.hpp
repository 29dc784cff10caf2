// test/support/exact_buffer.hpp
//
// ExactBuffer holds bytes in a heap block of exactly their size, so that the address sanitizer
// sees a decoder that reads one byte too far. (A std::string has room behind its end.)
//
// Sans-IO. Lives on any thread. Owned by the test; a view ends with the buffer. Unbounded.
#pragma once

#include <cstddef>
#include <memory>

#include "storage/base/bytes.hpp"

namespace naru::test {

class ExactBuffer {
 public:
  explicit ExactBuffer(BytesView bytes);

  BytesView view() const { return {block_.get(), size_}; }

 private:
  std::unique_ptr<char[]> block_;
  std::size_t size_;
};

}  // namespace naru::test
