// broker/app/access_caller.hpp
//
// AccessCaller asks the operator's service who may come in and do what, and remembers its answers
// for as long as the configuration says. 200 allows and 403 denies; everything else, a timeout and
// too many questions among it, is a failure, which allows nothing and is not remembered.
//
// Edge: asks on the thread of HttpCaller, which begins with the first question. ask() on any
// thread; `done` is called exactly once, on that thread or at once. Owned by Node.
// Bounded by limits::http_calls and limits::remembered_answers; a full memory is emptied.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/auth/acl.hpp"
#include "broker/auth/digest.hpp"
#include "broker/net/http_caller.hpp"
#include "storage/base/clock.hpp"

namespace naru::broker {

struct AccessQuestion {
  std::string url;
  std::string body;
  Millis timeout{0};
  Millis keep{0};  // How long an answer counts; 0: it is not remembered.
};

struct AccessAnswer {
  bool allowed = false;
  std::string fault{};  // There was none: why.
};

class AccessCaller {
 public:
  explicit AccessCaller(const Clock& clock) : clock_(clock) {}  // Which must outlive it.

  void ask(AccessQuestion question, std::function<void(AccessAnswer)> done);
  void forget();  // After a reload every answer is asked for anew.
  void stop();    // Whatever is under way fails.

 private:
  struct Remembered {
    bool allowed = false;
    Instant until;
  };

  HttpCaller* caller();  // Null once it has stopped.
  void remember(const Bytes& key, bool allowed, Millis keep);

  const Clock& clock_;
  const Bytes secret_ = random_bytes(sha256_bytes);  // Keys tell nothing of the passwords in them.
  std::mutex mutex_;
  boost::unordered_flat_map<Bytes, Remembered> answers_;
  std::unique_ptr<HttpCaller> caller_;
  bool stopped_ = false;
};

// The JSON that is asked with; empty: the password is no UTF-8 and cannot stand in it.
struct AccessSubject {
  BytesView client_id, user, address;
};
std::string connect_question(const AccessSubject& who, BytesView password);
// topic: of a publish, or a filter. Of a shared one the group stands beside the filter itself.
std::string right_question(const AccessSubject& who, Access access, BytesView topic);

}  // namespace naru::broker
