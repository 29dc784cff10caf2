// broker/http/awaitable.hpp
//
// Asio's awaitable, without a false alarm: g++ 12 inlines the operator new of a coroutine's frame
// but not its operator delete, and takes the two for a mismatched pair.
//
// Every file with coroutines of the control interface includes this in front of them.
#pragma once

#include <boost/asio/awaitable.hpp>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace naru::broker {

using boost::asio::awaitable;

}  // namespace naru::broker
