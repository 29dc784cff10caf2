// tools/naru/control_client.cpp
#include "tools/naru/control_client.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <curl/curl.h>
#include <sys/stat.h>

namespace naru::tools {
namespace {

constexpr std::size_t answer_bytes_max = std::size_t{256} << 20;

size_t append_answer(char* data, size_t size, size_t count, void* target) {
  auto& answer = *static_cast<std::string*>(target);
  if (answer.size() + size * count > answer_bytes_max) return 0;  // Ends the transfer.
  answer.append(data, size * count);
  return size * count;
}

constexpr const char* not_allowed =
    "only the broker's user and root may speak there: become one of them, for instance with sudo";

constexpr const char* trial_socket = "./var/naru.sock";  // Of `narud --data ./var`.

// 0 for a socket, else an errno: ENOTSOCK for anything else that is there.
int fault_of(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return errno;
  return S_ISSOCK(found.st_mode) ? 0 : ENOTSOCK;
}

Error unreachable(const std::string& socket, CURLcode code, long os_error) {
  const std::string where = "the broker does not answer on " + socket + ": ";
  if (os_error == EACCES) return {Errc::unavailable, where + not_allowed};
  if (os_error == ECONNREFUSED) {
    const bool of_trial = socket == trial_socket;
    return {Errc::unavailable, where + "it has stopped; start it " +
                                   (of_trial ? "with `narud --data ./var`" : "again")};
  }
  return {Errc::unavailable, where + curl_easy_strerror(code)};
}

Errc errc_of(long status) {
  if (status == 404) return Errc::not_found;
  if (status == 409 || status == 403) return Errc::refused;
  return status < 500 ? Errc::invalid : Errc::io;
}

Result<Json> read_answer(long status, const std::string& text) {
  Json answer = text.empty() ? Json() : Json::parse(text, nullptr, false);
  if (status >= 200 && status < 300) {
    if (answer.is_discarded()) return Error{Errc::io, "the broker's answer is not JSON"};
    return answer;
  }
  const Json sentence = answer.is_discarded() ? Json() : find_member(answer, "error");
  if (sentence.is_string()) {
    const char* const why = status == 503 ? "; `naru status` shows which" : "";
    return Error{errc_of(status), sentence.get<std::string>() + why};
  }
  return Error{errc_of(status), "the broker answered with HTTP status " + std::to_string(status)};
}

}  // namespace

struct ControlClient::Transfer {
  Transfer() : easy(curl_easy_init()), headers(nullptr) {
    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");  // No pause before a large body.
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
  }

  CURL* easy;
  curl_slist* headers;
};

Result<std::string> find_socket(const std::string& given) {
  std::vector<std::string> candidates;
  const char* environment = std::getenv("NARU_SOCKET");
  if (!given.empty()) {
    candidates = {given};
  } else if (environment != nullptr && *environment != '\0') {
    candidates = {environment};
  } else {
    candidates = {"./var/naru.sock", "/run/naru/naru.sock", "/var/lib/naru/naru.sock"};
  }
  std::string tried;
  for (const std::string& path : candidates) {
    const int fault = fault_of(path);
    if (fault == 0) return path;
    if (fault == EACCES) {
      return Error{Errc::unavailable, "no access to " + path + ": " + not_allowed};
    }
    tried += (tried.empty() ? "" : ", ") + path;
    if (fault == ENOTSOCK) {
      tried += ": not a socket";
    } else if (fault != ENOENT) {
      tried += std::string{": "} + std::strerror(fault);
    }
  }
  const bool is_named = candidates.size() == 1;
  return Error{Errc::unavailable,
               "no broker's control socket found (tried " + tried + "); " +
                   (is_named ? "is this its name (api_socket), and is the broker running?"
                             : "start one with `narud --data ./var`, or name its socket with "
                               "--socket")};
}

Error with_remedy(Error error, const char* remedy) {
  if (error.code == Errc::not_found) error.text.append("; ").append(remedy);
  return error;
}

std::string url_encode(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', digits[byte >> 4], digits[byte & 15u]};
    }
  }
  return out;
}

ControlClient::ControlClient(std::string socket)
    : socket_(std::move(socket)), transfer_(std::make_unique<Transfer>()) {}
ControlClient::ControlClient(ControlClient&&) noexcept = default;
ControlClient& ControlClient::operator=(ControlClient&&) noexcept = default;
ControlClient::~ControlClient() = default;

Result<ControlClient> ControlClient::open(const std::string& given) {
  auto socket = find_socket(given);
  if (!socket) return socket.error();
  return ControlClient{std::move(*socket)};
}

Result<ControlClient::Answer> ControlClient::perform(const Request& request) {
  CURL* easy = transfer_->easy;
  Answer answer;
  const std::string url = "http://naru" + request.path;
  const auto limit = static_cast<long>((request.limit + request.wait).count());
  curl_easy_reset(easy);  // Keeps the open connection.
  curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, socket_.c_str());
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, limit);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &append_answer);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer.body);
  if (!request.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer_->headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
  }
  const CURLcode code = curl_easy_perform(easy);
  if (code != CURLE_OK) {
    long os_error = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
    return unreachable(socket_, code, os_error);
  }
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

Result<Json> ControlClient::call(const Request& request) {
  const auto answer = perform(request);
  if (!answer) return answer.error();
  const bool good = request.also_good != 0 && answer->status == request.also_good;
  return read_answer(good ? 200 : answer->status, answer->body);
}

Result<std::string> ControlClient::text(const Request& request) {
  const auto answer = perform(request);
  if (!answer) return answer.error();
  if (answer->status >= 200 && answer->status < 300) return answer->body;
  return read_answer(answer->status, answer->body).error();
}

}  // namespace naru::tools
