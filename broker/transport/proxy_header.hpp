// broker/transport/proxy_header.hpp
//
// The PROXY protocol's header, with which a load balancer says whom it speaks for. It stands before
// everything else, also before TLS.
//
// Sans-IO:    a pure function.
// Lives on:   any thread.
// Bounded by: limits::proxy_header_bytes; version 1 by 107 bytes.
// Spec:       The PROXY protocol, versions 1 and 2 (haproxy.org).
#pragma once

#include <cstddef>

#include "storage/base/bytes.hpp"

namespace naru::transport {

struct ProxyHeader {
  std::size_t size = 0;  // What comes behind it belongs to the connection.
  Bytes address;         // "10.0.0.1:5000", "[...]" is not written around IPv6. Empty: unknown.
};

enum class ProxyVerdict : unsigned char { complete, incomplete, malformed };

// What stands at the start of `bytes`. REQUIRES: version is 1 or 2; the other is malformed.
ProxyVerdict decode_proxy_header(BytesView bytes, unsigned version, ProxyHeader& out);

}  // namespace naru::transport
