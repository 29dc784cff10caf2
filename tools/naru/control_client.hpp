// tools/naru/control_client.hpp
//
// ControlClient speaks the broker's control interface: HTTP with JSON over its Unix socket.
//
// Edge (libcurl, blocking). Lives on the one thread of naru.
// Owned by: the command that runs; holds one connection open between requests.
// Bounded by: an answer of 256 MiB, and a time limit per request.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "storage/base/clock.hpp"
#include "storage/base/result.hpp"
#include "tools/naru/output.hpp"

namespace naru::tools {

// The socket to use: the one given, else $NARU_SOCKET, else ./var/naru.sock, /run/naru/naru.sock or
// /var/lib/naru/naru.sock, the first that exists. The error tells what was tried, how to start.
Result<std::string> find_socket(const std::string& given);

// One segment of a path, or the value in a query, with everything unusual percent-encoded.
std::string url_encode(std::string_view text);

// A not_found with the command behind it that lists what there is; other errors as they are.
Error with_remedy(Error error, const char* remedy);

class ControlClient {
 public:
  // Connects with the first request. `given` as in find_socket.
  static Result<ControlClient> open(const std::string& given);

  ControlClient(ControlClient&&) noexcept;
  ControlClient& operator=(ControlClient&&) noexcept;
  ~ControlClient();

  struct Request {
    const char* method = "GET";
    std::string path;       // With its query, encoded; begins with /v1.
    std::string body = {};  // JSON, or empty for none.
    Millis wait{0};         // How long the broker may hold a long poll.
    Millis limit{10'000};   // For all else.
    long also_good = 0;     // A status whose JSON is an answer, no error.
  };
  // The answer's JSON. An error of the broker keeps its sentence: not_found for 404, refused for
  // 409 and 403, invalid for other 4xx, io for 5xx; unavailable when nobody answered.
  Result<Json> call(const Request& request);
  Result<std::string> text(const Request& request);  // The same where the answer is no JSON.
  Result<Json> get(std::string path) { return call({.path = std::move(path)}); }

  const std::string& socket() const { return socket_; }

 private:
  struct Transfer;
  struct Answer {
    long status = 0;
    std::string body;
  };
  explicit ControlClient(std::string socket);
  Result<Answer> perform(const Request& request);

  std::string socket_;
  std::unique_ptr<Transfer> transfer_;
};

}  // namespace naru::tools
