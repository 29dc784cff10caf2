// test/broker/http/http_server_test.cpp
//
// Goal: the server keeps its promises about the socket, about dialogues and about limits.
// Method: a server on a socket of its own in a thread of its own, spoken to with plain bytes.

#include "broker/http/http_server.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include "storage/base/clock.hpp"

namespace naru::broker {
namespace {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "naru-http-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string socket() const { return path_ / "naru.sock"; }

 private:
  std::filesystem::path path_;
};

awaitable<HttpResponse> echo(HttpRequest request) {
  if (!request.path.empty() && request.path[0] == "throw") throw std::runtime_error{"as asked"};
  HttpResponse response;
  response.body = request.method;
  for (const Bytes& segment : request.path) response.body += " " + segment;
  response.body += " " + std::to_string(request.body.size());
  co_return response;
}

// A server that runs until the end of the test.
class Running {
 public:
  explicit Running(std::string path, Handler handler = echo)
      : server_(io_, std::move(path), std::move(handler)) {
    REQUIRE(server_.start().has_value());
    thread_ = std::thread{[this] { io_.run(); }};
  }
  ~Running() {
    stop();
    work_.reset();
    thread_.join();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  void stop() {
    std::promise<void> stopped;
    boost::asio::post(io_, [&] {
      server_.stop();
      stopped.set_value();
    });
    stopped.get_future().get();
  }

 private:
  boost::asio::io_context io_{1};
  // Or the thread may end with the first stop(), and nobody does what the second one asks for.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  HttpServer server_;
  std::thread thread_;
};

class Client {
 public:
  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const timeval limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void send(const std::string& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
      const auto n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<std::size_t>(n);
    }
  }
  // What comes until `end` has been seen or the server closes.
  std::string receive(const std::string& end) {
    char part[4096];
    while (got_.find(end) == std::string::npos) {
      const auto n = ::recv(fd_, part, sizeof part, 0);
      if (n <= 0) break;
      got_.append(part, static_cast<std::size_t>(n));
    }
    return std::exchange(got_, {});
  }
  bool closed() {
    char byte = 0;
    return ::recv(fd_, &byte, 1, 0) == 0;
  }

 private:
  int fd_;
  std::string got_;
};

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: naru\r\n\r\n";
}

}  // namespace

TEST_CASE("The server answers one request after another on one connection", "[http]") {
  const Folder folder;
  Running server{folder.socket()};
  Client client{folder.socket()};
  for (int i = 0; i < 3; ++i) {
    client.send(get("/v1/a%2Fb"));
    const std::string answer = client.receive("GET v1 a/b 0\n");
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(answer.find("Content-Type: application/json\r\n") != std::string::npos);
  }
  client.send("POST /x HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
  CHECK(client.receive("POST x 3\n").find("Connection: close\r\n") != std::string::npos);
  CHECK(client.closed());
}

TEST_CASE("A client that asks first is told to go on with its body", "[http]") {
  const Folder folder;
  Running server{folder.socket()};
  Client client{folder.socket()};
  client.send("POST /x HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.receive("\r\n\r\n").starts_with("HTTP/1.1 100 "));
  client.send("abc");
  CHECK(client.receive("POST x 3\n").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("What breaks a limit or the protocol is refused and ends the connection", "[http]") {
  struct Row {
    std::string request, status;
  };
  const auto row = GENERATE(values<Row>({
      {"GET / HTTP/1.1\r\nX: " + std::string(17'000, 'x') + "\r\n\r\n", "431"},
      {"POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n" + std::string(1'048'577, 'x'), "413"},
      {"rubbish\r\n\r\n", "400"},
  }));
  const Folder folder;
  Running server{folder.socket()};
  Client client{folder.socket()};
  client.send(row.request);
  const std::string answer = client.receive("}\n");
  CHECK(answer.starts_with("HTTP/1.1 " + row.status));
  CHECK(answer.find("{\"error\":\"") != std::string::npos);
}

TEST_CASE("A body of 1 MiB is taken", "[http]") {
  const Folder folder;
  Running server{folder.socket()};
  Client client{folder.socket()};
  client.send("POST / HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n" + std::string(1'048'576, 'x'));
  CHECK(client.receive("POST 1048576\n").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("A path that cannot be decoded and a handler that fails keep the connection", "[http]") {
  const Folder folder;
  Running server{folder.socket()};
  Client client{folder.socket()};
  client.send(get("/%zz"));
  CHECK(client.receive("}\n").starts_with("HTTP/1.1 400 "));
  client.send(get("/throw"));
  CHECK(client.receive("}\n").starts_with("HTTP/1.1 500 "));
  client.send(get("/a"));
  CHECK(client.receive("GET a 0\n").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("Only the owner may open the socket, and it goes with the server", "[http]") {
  const Folder folder;
  {
    Running server{folder.socket()};
    struct stat found {};
    REQUIRE(::stat(folder.socket().c_str(), &found) == 0);
    CHECK((found.st_mode & 0777) == 0600);
  }
  CHECK_FALSE(std::filesystem::exists(folder.socket()));
}

TEST_CASE("The socket of a dead process is replaced, of a living one respected", "[http]") {
  const Folder folder;
  {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    folder.socket().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    ::close(fd);  // The file stays.
  }
  Running server{folder.socket()};
  boost::asio::io_context io;
  HttpServer second{io, folder.socket(), echo};
  const auto started = second.start();
  REQUIRE_FALSE(started.has_value());
  CHECK(started.error().code == Errc::busy);
  second.stop();
  Client client{folder.socket()};
  client.send(get("/a"));
  CHECK(client.receive("GET a 0\n").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("A path that cannot be a socket is refused with a reason", "[http]") {
  const Folder folder;
  boost::asio::io_context io;
  const auto start = [&io](const std::string& path) {
    HttpServer server{io, path, echo};
    return server.start();
  };
  CHECK(start(std::string(200, 'x')).error().code == Errc::invalid);
  CHECK(start("").error().code == Errc::invalid);
  CHECK(start(folder.socket() + "/none").error().code == Errc::io);
  REQUIRE(std::ofstream{folder.socket()} << "precious");
  CHECK(start(folder.socket()).error().code == Errc::refused);
  CHECK(std::filesystem::exists(folder.socket()));
}

namespace {

// Answers only when nobody waits any more, and says so to the test.
struct Patient {
  std::promise<void> began, ended;

  Handler handler() {
    return [this](HttpRequest request) { return wait(this, std::move(request)); };
  }
  static awaitable<HttpResponse> wait(Patient* self, HttpRequest request) {
    self->began.set_value();
    auto executor = co_await boost::asio::this_coro::executor;
    boost::asio::steady_timer timer{executor};
    while (!request.abandoned()) {
      timer.expires_after(Millis{1});
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    self->ended.set_value();
    co_return HttpResponse{200, "\"ended\"", {}};
  }
  static bool soon(std::promise<void>& promise) {
    return promise.get_future().wait_for(Seconds{20}) == std::future_status::ready;
  }
};

}  // namespace

TEST_CASE("A handler learns that its client is gone", "[http]") {
  const Folder folder;
  Patient patient;
  Running server{folder.socket(), patient.handler()};
  Client client{folder.socket()};
  client.send(get("/"));
  REQUIRE(Patient::soon(patient.began));
  client.close();
  CHECK(Patient::soon(patient.ended));
}

TEST_CASE("A stop ends waits with an answer and idle connections without", "[http]") {
  const Folder folder;
  Patient patient;
  Running server{folder.socket(), patient.handler()};
  Client idle{folder.socket()};
  Client client{folder.socket()};
  client.send(get("/"));
  REQUIRE(Patient::soon(patient.began));
  server.stop();
  CHECK(client.receive("\"ended\"\n").find("\"ended\"") != std::string::npos);
  CHECK(idle.closed());
}

TEST_CASE("More connections than there are seats wait for one", "[http]") {
  const Folder folder;
  Running server{folder.socket()};
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 257; ++i) {
    clients.push_back(std::make_unique<Client>(folder.socket()));
    clients.back()->send(get("/a"));
  }
  for (int i = 0; i < 256; ++i) {
    CHECK(clients[static_cast<std::size_t>(i)]->receive("GET a 0\n").starts_with("HTTP/1.1 200 "));
  }
  clients.front()->close();
  CHECK(clients.back()->receive("GET a 0\n").starts_with("HTTP/1.1 200 "));
}

}  // namespace naru::broker
