// tools/naru/server_address.cpp
#include "tools/naru/server_address.hpp"

#include <cstring>

#include <netdb.h>

namespace naru::tools {

Result<ServerAddress> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  const int error = getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
  if (error != 0) {
    return Error{Errc::unavailable, "the host '" + host + "' is not known: " + gai_strerror(error)};
  }
  // An IPv4 address first: brokers listen there more often than not.
  const addrinfo* chosen = found;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (at->ai_family == AF_INET) {
      chosen = at;
      break;
    }
  }
  ServerAddress server;
  server.text = host + ":" + service;
  std::memcpy(&server.address, chosen->ai_addr, chosen->ai_addrlen);
  server.size = chosen->ai_addrlen;
  freeaddrinfo(found);
  return server;
}

}  // namespace naru::tools
