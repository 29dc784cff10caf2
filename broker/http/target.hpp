// broker/http/target.hpp
//
// The target of a request line, taken apart: percent-decoded path segments and query.
//
// Sans-IO; pure. Lives on any thread. Bounded by the server's limit on headers.
// Spec: RFC 9112 section 3.2 (origin and absolute form), RFC 3986 section 2.1, and the form
// encoding of queries, where '+' is a blank.
#pragma once

#include "broker/http/http_message.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

struct Target {
  std::vector<Bytes> path;
  Query query;
};

Result<Target> parse_target(BytesView target);

}  // namespace naru::broker
