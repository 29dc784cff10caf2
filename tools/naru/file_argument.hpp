// tools/naru/file_argument.hpp
//
// A file whose content is an argument: a payload, a recording.
//
// Edge: reads the file at once. Lives on the one thread of naru.
// Bounded by: memory; people name files that fit.
#pragma once

#include <string>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace naru::tools {

// invalid, with the path and the reason, when it cannot be read.
Result<Bytes> read_file(const std::string& path);

}  // namespace naru::tools
