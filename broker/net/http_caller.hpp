// broker/net/http_caller.hpp
//
// HttpCaller asks a service of the operator by HTTP or HTTPS and tells what it answered: many
// questions at a time, over connections that stay open.
//
// Edge: one thread of its own with libcurl. ask() on any thread; `done` runs on the caller's, is
// called exactly once and must not wait. Owned by Node.
// Bounded by limits::http_calls under way and waiting; beyond, and after stop(), ask() says no.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "storage/base/clock.hpp"

namespace naru::broker {

struct HttpAnswer {
  int status = 0;
  std::string fault;  // Status 0, there was no answer: why.
};

struct HttpQuestion {
  std::string url;
  std::string body;  // JSON, sent by POST.
  Millis timeout{0};
  std::function<void(HttpAnswer)> done;
};

class HttpCaller {
 public:
  HttpCaller();
  ~HttpCaller();
  HttpCaller(const HttpCaller&) = delete;
  HttpCaller& operator=(const HttpCaller&) = delete;

  // False: too many are under way; `done` is not called.
  bool ask(HttpQuestion question);
  // Questions that are under way get no answer.
  void stop();

 private:
  struct Call;
  void run();
  std::vector<HttpQuestion> take_waiting();

  void* multi_;  // CURLM
  std::mutex mutex_;
  std::vector<HttpQuestion> waiting_;
  std::size_t open_ = 0;  // Waiting or under way.
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace naru::broker
