#include "test/support/exact_buffer.hpp"

#include <algorithm>

namespace naru::test {

ExactBuffer::ExactBuffer(BytesView bytes) : block_(new char[bytes.size()]), size_(bytes.size()) {
  std::copy(bytes.begin(), bytes.end(), block_.get());
}

}  // namespace naru::test
