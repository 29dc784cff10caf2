#include "broker/net/http_caller.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <curl/curl.h>

#include "storage/base/check.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

constexpr int longest_look = 60'000;  // Milliseconds; a wake-up ends it.
constexpr long connections_most = 64;

// What the service says beside its status is of no use here.
std::size_t discard(char*, std::size_t size, std::size_t count, void*) { return size * count; }

// As a configuration has it.
std::string text_of(Millis time) {
  const auto count = time.count();
  return count % 1'000 == 0 ? std::to_string(count / 1'000) + "s" : std::to_string(count) + "ms";
}

}  // namespace

struct HttpCaller::Call {
  explicit Call(HttpQuestion asked) : question(std::move(asked)), easy(curl_easy_init()) {
    NARU_CHECK(easy != nullptr);
    headers = curl_slist_append(nullptr, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");  // No "100 Continue" for a few bytes.
    curl_easy_setopt(easy, CURLOPT_URL, question.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(question.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, question.body.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &discard);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(question.timeout.count()));
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");  // The environment has no say in who is let in.
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "naru");
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }

  HttpAnswer answer_to(CURLcode result) const {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (result == CURLE_OK && status != 0) return {static_cast<int>(status), {}};
    if (result != CURLE_OPERATION_TIMEDOUT) {
      return {0, error[0] != '\0' ? error : curl_easy_strerror(result)};
    }
    const std::string time = text_of(question.timeout);
    if (status == 0) return {0, "no answer within " + time};
    return {0, "its answer " + std::to_string(status) + " had no end within " + time};
  }

  HttpQuestion question;
  CURL* easy;
  curl_slist* headers = nullptr;
  char error[CURL_ERROR_SIZE] = "";
};

HttpCaller::HttpCaller() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  NARU_CHECK(ready == CURLE_OK);
  multi_ = curl_multi_init();
  NARU_CHECK(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, connections_most);
  thread_ = std::thread([this] { run(); });
}

HttpCaller::~HttpCaller() {
  stop();
  curl_multi_cleanup(multi_);
}

bool HttpCaller::ask(HttpQuestion question) {
  {
    const std::lock_guard lock{mutex_};
    if (stopping_ || open_ >= limits::http_calls) return false;
    ++open_;
    waiting_.push_back(std::move(question));
  }
  curl_multi_wakeup(multi_);
  return true;
}

void HttpCaller::stop() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  curl_multi_wakeup(multi_);
  if (thread_.joinable()) thread_.join();
}

std::vector<HttpQuestion> HttpCaller::take_waiting() {
  const std::lock_guard lock{mutex_};
  return std::exchange(waiting_, {});
}

void HttpCaller::run() {
  std::map<CURL*, std::unique_ptr<Call>> calls;
  const auto finish = [&](CURL* easy, HttpAnswer answer) {
    const auto found = calls.find(easy);
    curl_multi_remove_handle(multi_, easy);
    const std::unique_ptr<Call> call = std::move(found->second);
    calls.erase(found);
    {
      const std::lock_guard lock{mutex_};
      --open_;
    }
    call->question.done(std::move(answer));
  };
  const auto is_stopping = [&] {
    const std::lock_guard lock{mutex_};
    return stopping_;
  };
  while (!is_stopping()) {
    for (HttpQuestion& each : take_waiting()) {
      auto call = std::make_unique<Call>(std::move(each));
      CURL* const easy = call->easy;
      calls.emplace(easy, std::move(call));
      if (curl_multi_add_handle(multi_, easy) != CURLM_OK)
        finish(easy, {0, "it could not be asked"});
    }
    int running = 0;
    curl_multi_perform(multi_, &running);
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* const easy = message->easy_handle;
      finish(easy, calls.at(easy)->answer_to(message->data.result));
    }
    curl_multi_poll(multi_, nullptr, 0, longest_look, nullptr);
  }
  const HttpAnswer stopped{0, "narud stops"};
  while (!calls.empty()) finish(calls.begin()->first, stopped);
  for (const HttpQuestion& each : take_waiting()) each.done(stopped);
}

}  // namespace naru::broker
