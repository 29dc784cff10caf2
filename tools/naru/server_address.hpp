// tools/naru/server_address.hpp
//
// ServerAddress is a host and port after name resolution, ready to connect to.
//
// Edge (getaddrinfo blocks). Lives on any thread; a value.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <sys/socket.h>

#include "storage/base/result.hpp"
#include "tools/naru/tls_client.hpp"

namespace naru::tools {

struct ServerAddress {
  std::string text;  // As people write it: host:port.
  sockaddr_storage address{};
  socklen_t size = 0;
  std::shared_ptr<const TlsClient> tls = nullptr;  // Null: plain.
};

Result<ServerAddress> resolve(const std::string& host, std::uint16_t port);

}  // namespace naru::tools
