// storage/base/result.hpp
//
// Result<T>: a value or the reason why there is none, for everything that can fail outside the
// hot path. An error is a domain error code plus one sentence that names the remedy.
//
// Sans-IO. Lives on any thread; a value. Bounded by the sentence it carries.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <boost/system/result.hpp>

namespace naru {

// What went wrong, by what the caller can do about it.
enum class Errc : unsigned char {
  invalid,      // The input is wrong; the text says where and how to mend it.
  not_found,    // There is no such thing.
  refused,      // Not allowed, or not by this caller.
  not_cached,   // The bytes are on disk but not in memory: ask the reader thread.
  no_space,     // The disk is full or over its budget; may pass.
  io,           // The disk or the network failed; not to be retried blindly.
  corrupt,      // Stored bytes contradict their checksum or format.
  newer,        // Written by a newer release; the bytes are left untouched.
  busy,         // Held by somebody else, for instance the store's lock.
  unavailable,  // Not now: stopping, or a limit is reached.
};

struct Error {
  Errc code = Errc::invalid;
  std::string text;
};

[[noreturn]] inline void throw_exception_from_error(const Error& error,
                                                    const boost::source_location&) {
  std::fprintf(stderr, "naru: value taken from an error: %s\n", error.text.c_str());
  std::abort();
}

template <class T>
using Result = boost::system::result<T, Error>;

}  // namespace naru
