// storage/base/check.hpp
//
// NARU_CHECK states what only a bug in this program can break. It stays on in release builds,
// prints the expression with its place and aborts: wrong state is never written to a disk.
// Bytes from outside are never checked with it; they get an error.
//
// Sans-IO but for the last words on stderr. Lives on any thread.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace naru {

[[noreturn]] inline void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "naru: check failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace naru

#define NARU_CHECK(expression) \
  ((expression) ? static_cast<void>(0) : ::naru::check_failed(#expression, __FILE__, __LINE__))
