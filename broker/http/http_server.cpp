#include "broker/http/http_server.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "broker/http/target.hpp"
#include "storage/base/log.hpp"

namespace naru::broker {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Local = asio::local::stream_protocol;

namespace {

constexpr std::size_t connections_max = 256;
constexpr std::uint32_t header_bytes_max = 16 * 1024;
constexpr std::uint64_t body_bytes_max = 1024 * 1024;
constexpr Seconds idle_max{60};
constexpr Seconds farewell_max{2};
constexpr Millis accept_pause{100};

// Errors come as values; co_await gives {error, ...}.
const auto no_throw = asio::as_tuple(asio::use_awaitable);

// ---- the path of the socket --------------------------------------------------------------------

Error path_error(Errc code, const std::string& path, const std::string& text) {
  return {code, "api socket " + path + ": " + text};
}

std::string reason(int error) { return std::strerror(error); }

// 0 when somebody accepts connections at the path, else the error of connecting.
int try_connect(const sockaddr_un& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int outcome = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = outcome == 0 ? 0 : errno;
  ::close(fd);
  return error == EAGAIN ? 0 : error;  // EAGAIN: alive, but busy.
}

// Makes the path free, unless somebody else needs what is there.
Result<void> clear_path(const std::string& path) {
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return path_error(Errc::invalid, path,
                      "its path must have 1 to " + std::to_string(sizeof address.sun_path - 1) +
                          " bytes; choose a shorter one with api_socket");
  }
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return path_error(Errc::io, path, reason(errno));
  }
  if (!S_ISSOCK(found.st_mode)) {
    return path_error(Errc::refused, path,
                      "there is a file that is no socket; move it away or change api_socket");
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int error = try_connect(address);
  if (error == 0) {
    return path_error(Errc::busy, path,
                      "another process answers there; stop it or change api_socket");
  }
  if (error != ECONNREFUSED) return path_error(Errc::io, path, reason(error));
  if (::unlink(path.c_str()) != 0) return path_error(Errc::io, path, reason(errno));
  return {};
}

// ---- one connection ----------------------------------------------------------------------------

struct Connection {
  explicit Connection(Local::socket socket) : stream(std::move(socket)) {}

  beast::basic_stream<Local> stream;
  beast::flat_buffer buffer{2 * header_bytes_max};
  bool busy = false;  // A request is being answered.
};
using ConnectionRef = std::shared_ptr<Connection>;

// The client has closed its side. Bytes that wait to be read mean that it has not.
bool hung_up(Connection& connection) {
  char byte = 0;
  const auto got =
      ::recv(connection.stream.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

bool may_speak(Local::socket& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return false;
  }
  return peer.uid == ::geteuid() || peer.uid == 0;
}

HttpResponse refusal(unsigned status, const char* text) {
  return {status, Bytes{"{\"error\":\""} + text + "\"}", {}};
}

// What to say of a request that could not be read; status 0: nothing, nobody listens.
HttpResponse answer_to(const error_code& error) {
  if (error == http::error::body_limit) {
    return refusal(413, "the body is larger than 1 MiB; send less in one request");
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return refusal(431, "the header is larger than 16 KiB; send shorter paths and headers");
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message ||
      error.category() != http::make_error_code(http::error::bad_value).category()) {
    return {0, {}, {}};
  }
  return refusal(400, "this is not HTTP/1.1; see the guide of the control interface");
}

struct Incoming {
  error_code error;
  http::request<http::string_body> request;
};

awaitable<Incoming> read_request(ConnectionRef connection) {
  http::request_parser<http::string_body> parser;
  parser.header_limit(header_bytes_max);
  parser.body_limit(body_bytes_max);
  Incoming incoming;
  connection->stream.expires_after(idle_max);
  auto headed =
      co_await http::async_read_header(connection->stream, connection->buffer, parser, no_throw);
  incoming.error = std::get<0>(headed);
  if (!incoming.error && beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    http::response<http::empty_body> go_on{http::status::continue_, 11};
    auto sent = co_await http::async_write(connection->stream, go_on, no_throw);
    incoming.error = std::get<0>(sent);
  }
  if (!incoming.error) {
    auto got = co_await http::async_read(connection->stream, connection->buffer, parser, no_throw);
    incoming.error = std::get<0>(got);
  }
  if (!incoming.error) incoming.request = parser.release();
  co_return incoming;
}

// False when the client cannot be reached any more.
awaitable<bool> write_response(ConnectionRef connection, HttpResponse response, bool keep_alive,
                               bool without_body) {
  http::response<http::string_body> message;
  message.version(11);
  message.result(response.status);
  message.set(http::field::content_type, response.type);
  if (!response.allow.empty()) message.set(http::field::allow, response.allow);
  message.keep_alive(keep_alive);
  message.body() = std::move(response.body);
  if (!message.body().ends_with('\n')) message.body().push_back('\n');
  message.prepare_payload();
  if (without_body) message.body().clear();  // HEAD: the length stays, the body goes.
  connection->stream.expires_after(idle_max);
  auto sent = co_await http::async_write(connection->stream, message, no_throw);
  co_return !std::get<0>(sent);
}

// Closing while something is unread would take the answer away from the client: what it still
// sends is read, for a short time.
awaitable<void> say_farewell(ConnectionRef connection) {
  error_code ignored;
  connection->stream.socket().shutdown(Local::socket::shutdown_send, ignored);
  connection->stream.expires_after(farewell_max);
  char rest[4096];
  while (true) {
    auto got = co_await connection->stream.async_read_some(asio::buffer(rest), no_throw);
    if (std::get<0>(got)) break;
  }
  connection->stream.socket().close(ignored);
}

}  // namespace

// ---- the server --------------------------------------------------------------------------------

struct HttpServer::Door {
  Door(asio::io_context& io, std::string socket_path, Handler request_handler)
      : path(std::move(socket_path)),
        handler(std::move(request_handler)),
        acceptor(io),
        seat_free(io) {}

  static awaitable<void> accept(std::shared_ptr<Door> door);
  static awaitable<void> serve(std::shared_ptr<Door> door, ConnectionRef connection);
  static awaitable<HttpResponse> answer(std::shared_ptr<Door> door, ConnectionRef connection,
                                        http::request<http::string_body> request);
  static void admit(const std::shared_ptr<Door>& door, Local::socket socket);

  const std::string path;
  const Handler handler;
  Local::acceptor acceptor;
  asio::steady_timer seat_free;
  std::set<ConnectionRef> connections;
  bool stopped = false;
};

awaitable<HttpResponse> HttpServer::Door::answer(std::shared_ptr<Door> door,
                                                 ConnectionRef connection,
                                                 http::request<http::string_body> request) {
  auto target = parse_target({request.target().data(), request.target().size()});
  if (!target) co_return refusal(400, "the path is malformed; escape it as URLs are");
  HttpRequest plain;
  plain.method = Bytes{request.method_string()};
  plain.path = std::move(target->path);
  plain.query = std::move(target->query);
  plain.body = std::move(request.body());
  plain.abandoned = [door, connection] { return door->stopped || hung_up(*connection); };
  std::string failure;
  try {
    awaitable<HttpResponse> answering = door->handler(std::move(plain));
    HttpResponse response = co_await std::move(answering);
    co_return response;
  } catch (const std::exception& error) {
    failure = error.what();
  }
  log(Severity::error, "http_request_failed", {{"reason", failure}});
  co_return refusal(500, "the broker failed to answer; its log says why");
}

awaitable<void> HttpServer::Door::serve(std::shared_ptr<Door> door, ConnectionRef connection) {
  bool going = true;
  while (going && !door->stopped) {
    Incoming incoming = co_await read_request(connection);
    connection->busy = true;
    HttpResponse response;
    bool head = false;
    bool keep_alive = false;
    if (incoming.error) {
      response = answer_to(incoming.error);
    } else {
      head = incoming.request.method() == http::verb::head;
      keep_alive = incoming.request.keep_alive();
      awaitable<HttpResponse> answering = answer(door, connection, std::move(incoming.request));
      response = co_await std::move(answering);
    }
    if (response.status == 0) break;
    going = keep_alive && !door->stopped;
    awaitable<bool> writing = write_response(connection, std::move(response), going, head);
    const bool written = co_await std::move(writing);
    going = going && written;
    connection->busy = false;
  }
  co_await say_farewell(connection);
  door->connections.erase(connection);
  door->seat_free.cancel();
}

void HttpServer::Door::admit(const std::shared_ptr<Door>& door, Local::socket socket) {
  if (!may_speak(socket)) {
    log(Severity::warning, "http_refused", {{"reason", "not the broker's user, nor root"}});
    return;
  }
  auto connection = std::make_shared<Connection>(std::move(socket));
  door->connections.insert(connection);
  asio::co_spawn(door->acceptor.get_executor(), serve(door, std::move(connection)), asio::detached);
}

awaitable<void> HttpServer::Door::accept(std::shared_ptr<Door> door) {
  while (!door->stopped) {
    if (door->connections.size() >= connections_max) {
      door->seat_free.expires_at(asio::steady_timer::time_point::max());
      auto woken = co_await door->seat_free.async_wait(no_throw);
      static_cast<void>(woken);
      continue;
    }
    auto accepted = co_await door->acceptor.async_accept(no_throw);
    if (door->stopped) break;
    if (std::get<0>(accepted)) {  // Out of file descriptors, for instance: it may pass.
      door->seat_free.expires_after(accept_pause);
      auto woken = co_await door->seat_free.async_wait(no_throw);
      static_cast<void>(woken);
      continue;
    }
    admit(door, std::move(std::get<1>(accepted)));
  }
}

HttpServer::HttpServer(asio::io_context& io, std::string path, Handler handler)
    : door_(std::make_shared<Door>(io, std::move(path), std::move(handler))) {}

HttpServer::~HttpServer() { stop(); }

Result<void> HttpServer::start() {
  const std::string& path = door_->path;
  if (const auto cleared = clear_path(path); !cleared) return cleared.error();
  error_code error;
  door_->acceptor.open(Local{}, error);
  if (!error) door_->acceptor.bind(Local::endpoint{path}, error);
  // Between bind() and listen() nobody can connect, so the mode is right before anybody may try.
  if (!error && ::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0) {
    error = error_code{errno, boost::system::system_category()};
  }
  if (!error) door_->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    error_code ignored;
    door_->acceptor.close(ignored);
    return path_error(Errc::io, path, error.message() + "; see that its directory is writable");
  }
  asio::co_spawn(door_->acceptor.get_executor(), Door::accept(door_), asio::detached);
  return {};
}

void HttpServer::stop() {
  if (door_->stopped) return;
  door_->stopped = true;
  error_code ignored;
  if (door_->acceptor.is_open()) {
    door_->acceptor.close(ignored);
    ::unlink(door_->path.c_str());
  }
  door_->seat_free.cancel();
  for (const ConnectionRef& connection : door_->connections) {
    if (!connection->busy) connection->stream.socket().close(ignored);
  }
}

}  // namespace naru::broker
