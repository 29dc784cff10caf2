// storage/base/bytes.hpp
//
// Words for raw bytes. A view never outlives what it looks at; nothing here allocates by itself.
//
// Sans-IO. Lives on any thread; values. Owned by whoever holds them. Unbounded: callers bound.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace naru {

using Bytes = std::string;           // Owned bytes; may contain zeros.
using BytesView = std::string_view;  // Borrowed bytes.

// One run of bytes with many readers on any thread, never changed after it was made.
using SharedBytes = std::shared_ptr<const Bytes>;

}  // namespace naru
