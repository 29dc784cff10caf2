#include "broker/app/listeners.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include "broker/net/tls_context.hpp"
#include "storage/base/log.hpp"

namespace naru::broker {

namespace {

constexpr int backlog = 4'096;

std::string title_of(const ListenerConfig& listener) {
  return place_text(listener.places, "listener") + "listener " + name_of(listener) + ": ";
}

Error failure(const ListenerConfig& listener, std::string_view what) {
  const int error = errno;
  std::string text = title_of(listener) + std::string{what} + ": " + std::strerror(error);
  if (error == EADDRINUSE) {
    text += "; another program listens there: stop it, or choose another port with 'listener PORT'";
  }
  if (error == EACCES) text += "; ports below 1024 need CAP_NET_BIND_SERVICE";
  return {Errc::busy, text};
}

struct Resolved {
  addrinfo* list = nullptr;
  ~Resolved() {
    if (list != nullptr) ::freeaddrinfo(list);
  }
};

int open_one(const addrinfo& address, bool reuse_port) {
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (address.ai_family == AF_INET6) {
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(fd, address.ai_addr, address.ai_addrlen) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                           : reinterpret_cast<sockaddr_in&>(bound).sin_port);
}

Result<Resolved*> resolve(const ListenerConfig& listener, std::uint16_t port, Resolved& resolved) {
  addrinfo hints{};
  hints.ai_family = !listener.socket_domain                         ? AF_UNSPEC
                    : *listener.socket_domain == SocketDomain::ipv4 ? AF_INET
                                                                    : AF_INET6;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  const char* const host = listener.address.empty() ? nullptr : listener.address.c_str();
  const int code = ::getaddrinfo(host, std::to_string(port).c_str(), &hints, &resolved.list);
  if (code != 0) {
    return Error{Errc::invalid, title_of(listener) + ::gai_strerror(code) +
                                    "; write an address of this machine" +
                                    (listener.socket_domain ? ", of that socket_domain" : "")};
  }
  return &resolved;
}

// Without SO_REUSEPORT first: a second narud must not share the port unnoticed.
Result<OpenListener> open_address(const ListenerConfig& listener, const addrinfo& address,
                                  std::uint16_t shards) {
  OpenListener open;
  open.address = listener.address.empty() ? (address.ai_family == AF_INET6 ? "::" : "0.0.0.0")
                                          : listener.address;
  if (shards > 1) {
    const int probe = open_one(address, false);
    if (probe < 0) return failure(listener, "cannot listen");
    ::close(probe);
  }
  sockaddr_storage wanted{};
  std::memcpy(&wanted, address.ai_addr, address.ai_addrlen);
  addrinfo exact = address;
  exact.ai_addr = reinterpret_cast<sockaddr*>(&wanted);
  for (std::uint16_t shard = 0; shard < shards; ++shard) {
    const int fd = open_one(exact, shards > 1);
    if (fd < 0 || ::listen(fd, backlog) != 0) return failure(listener, "cannot listen");
    open.sockets.push_back(fd);
    open.port = port_of(fd);
    if (address.ai_family == AF_INET6) {
      reinterpret_cast<sockaddr_in6&>(wanted).sin6_port = htons(open.port);
    } else {
      reinterpret_cast<sockaddr_in&>(wanted).sin_port = htons(open.port);
    }
  }
  return open;
}

// 0 where somebody answers at that path, else why not.
int try_connect(const sockaddr_un& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const bool answered =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int error = answered ? 0 : errno;
  ::close(fd);
  return error;
}

// What a broker that was killed left behind goes; anything else stays and is an error.
Result<void> clear_path(const ListenerConfig& listener, const sockaddr_un& address) {
  struct stat found {};
  if (::lstat(address.sun_path, &found) != 0) {
    if (errno == ENOENT) return {};
    return failure(listener, "cannot look for the socket");
  }
  if (!S_ISSOCK(found.st_mode)) {
    return Error{Errc::refused, title_of(listener) +
                                    "there is a file that is no socket; move it "
                                    "away or choose another path"};
  }
  const int error = try_connect(address);
  if (error != ECONNREFUSED) {
    return Error{Errc::busy, title_of(listener) +
                                 "another program answers there; stop it or "
                                 "choose another path"};
  }
  if (::unlink(address.sun_path) != 0) return failure(listener, "cannot remove the stale socket");
  return {};
}

// Every shard accepts from the same socket: a path cannot be bound twice.
Result<OpenListener> open_path(const ListenerConfig& listener, std::uint16_t shards) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  listener.address.copy(address.sun_path, sizeof address.sun_path - 1);
  const auto cleared = clear_path(listener, address);
  if (!cleared) return cleared.error();
  OpenListener open;
  open.address = listener.address;
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const mode_t mode = parse_mode(listener.socket_mode).value_or(0660);
  // Nobody can connect before listen(), so the mode is right before anybody may try.
  if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(address.sun_path, mode) != 0 || ::listen(fd, backlog) != 0) {
    return failure(listener, "cannot listen; see that its directory exists and is writable");
  }
  open.sockets.push_back(fd);
  while (open.sockets.size() < shards) {
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return failure(listener, "cannot listen");
    open.sockets.push_back(copy);
  }
  return open;
}

Result<void> open_addresses(const ListenerConfig& listener, std::uint16_t shards,
                            std::uint16_t port, std::vector<OpenListener>& all) {
  Resolved resolved;
  const auto found = resolve(listener, port, resolved);
  if (!found) return found.error();
  for (const addrinfo* each = resolved.list; each != nullptr; each = each->ai_next) {
    auto open = open_address(listener, *each, shards);
    if (!open) {
      const bool lacks = errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT;
      if (!listener.optional && !(lacks && each->ai_next != nullptr)) return open.error();
      log(Severity::notice, "listener_skipped", {{"reason", open.error().text}});
      continue;
    }
    all.push_back(std::move(*open));
  }
  return {};
}

// Stays null where the listener has no certificate.
Result<void> make_tls(const ListenerConfig& listener, std::shared_ptr<const TlsContext>& made) {
  if (listener.certfile.empty()) return {};
  TlsSettings settings;
  settings.certfile = listener.certfile;
  settings.keyfile = listener.keyfile;
  settings.cafile = listener.cafile;
  settings.capath = listener.capath;
  settings.crlfile = listener.crlfile;
  settings.ciphers = listener.ciphers;
  settings.ciphersuites = listener.ciphersuites;
  settings.only_version_1_3 = listener.tls_version == TlsVersion::v1_3;
  settings.require_certificate = listener.require_certificate;
  TlsFault fault;
  made = TlsContext::make(settings, fault);
  if (made) return {};
  return Error{Errc::invalid, place_text(listener.places, fault.key) + fault.text};
}

}  // namespace

void OpenListener::remove_path() const {
  if (port == 0) ::unlink(address.c_str());
}

std::vector<std::string> make_tls_contexts(const Config& config, TlsContexts& made) {
  std::vector<std::string> faults;
  for (const ListenerConfig& listener : config.listeners) {
    const auto read = make_tls(listener, made.emplace_back());
    if (!read) faults.push_back(read.error().text);
  }
  return faults;
}

std::vector<Problem> tls_notices(const Config& config, const TlsContexts& made, WallMillis now) {
  std::vector<Problem> notices;
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (!made[i]) continue;
    for (TlsConcern& each : concerns_of(made[i]->terms(), now)) {
      Problem& notice = notices.emplace_back();
      notice.kind = Problem::Kind::notice;
      notice.text = std::move(each.text);
      const SourceLine* const place = find_place(config.listeners[i].places, each.key);
      if (place == nullptr) continue;
      notice.file = place->file;
      notice.line = place->line;
    }
  }
  return notices;
}

std::vector<std::string> tls_problems(const Config& config,
                                      const std::vector<OpenListener>& listeners, WallMillis now) {
  std::vector<std::string> problems;
  const Listener* last = nullptr;  // Its addresses stand side by side.
  for (const OpenListener& open : listeners) {
    const auto tls = open.listener->tls();
    if (!tls || std::exchange(last, open.listener.get()) == open.listener.get()) continue;
    const std::string name = name_of(config.listeners[open.listener->number]);
    for (const TlsConcern& each : concerns_of(tls->terms(), now)) {
      if (each.is_off) problems.push_back("listener " + name + ": " + each.text);
    }
  }
  return problems;
}

Result<std::vector<OpenListener>> open_listeners(const Config& config, std::uint16_t shards) {
  std::vector<OpenListener> all;
  for (const ListenerConfig& listener : config.listeners) {
    const std::size_t first = all.size();
    if (listener.is_unix) {
      auto open = open_path(listener, shards);
      if (!open) return open.error();
      all.push_back(std::move(*open));
    } else {
      // `listener auto` for both loopback addresses: the second takes the port of the first.
      std::uint16_t port = listener.port;
      if (port == 0 && listener.optional && !all.empty()) port = all.back().port;
      const auto opened = open_addresses(listener, shards, port, all);
      if (!opened) return opened.error();
    }
    const auto shared = std::make_shared<Listener>();
    shared->number = static_cast<std::uint16_t>(&listener - config.listeners.data());
    shared->max_connections = listener.max_connections;
    shared->max_qos = static_cast<mqtt::Qos>(listener.max_qos);
    std::shared_ptr<const TlsContext> tls;
    const auto made = make_tls(listener, tls);
    if (!made) return made.error();
    shared->set_tls(std::move(tls));
    shared->identity_from = listener.use_identity_as_username  ? IdentityFrom::common_name
                            : listener.use_subject_as_username ? IdentityFrom::subject
                                                               : IdentityFrom::connect;
    shared->proxy_version = listener.proxy_version;
    shared->websockets = listener.protocol == ListenerProtocol::websockets;
    shared->websocket_origins = listener.websockets_origin;
    for (std::size_t i = first; i < all.size(); ++i) all[i].listener = shared;
  }
  if (all.empty()) return Error{Errc::invalid, "no listener could be opened"};
  return all;
}

Result<void> write_port_file(const std::string& path, const std::vector<OpenListener>& listeners) {
  const std::string draft = path + ".new";
  {
    std::ofstream out{draft, std::ios::trunc};
    for (const OpenListener& each : listeners) out << each.address << '\t' << each.port << '\n';
    out.close();
    if (!out) return Error{Errc::io, "cannot write the port file " + draft};
  }
  if (std::rename(draft.c_str(), path.c_str()) != 0) {
    return Error{Errc::io, "cannot rename the port file to " + path};
  }
  return {};
}

}  // namespace naru::broker
