#include "broker/app/access_caller.hpp"

#include <utility>

#include <nlohmann/json.hpp>

#include "broker/mqtt/topics.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

using Json = nlohmann::json;

AccessAnswer answer_of(HttpAnswer said) {
  constexpr int allow = 200, deny = 403;
  if (said.status == allow || said.status == deny) return {said.status == allow};
  if (said.status == 0) return {false, std::move(said.fault)};
  return {false, "it answered " + std::to_string(said.status)};
}

Json describe(const AccessSubject& who) {
  return {{"client_id", who.client_id}, {"user", who.user}, {"address", who.address}};
}

// Names and topics are UTF-8 by then; what is not would not be what was asked.
std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void AccessCaller::ask(AccessQuestion question, std::function<void(AccessAnswer)> done) {
  const Bytes key = hmac_sha256(secret_, question.url + '\n' + question.body);
  HttpCaller* asked = nullptr;
  {
    std::unique_lock lock{mutex_};
    const auto known = answers_.find(key);
    if (known != answers_.end() && clock_.now() < known->second.until) {
      const bool allowed = known->second.allowed;
      lock.unlock();
      return done({allowed});
    }
    asked = caller();
  }
  auto answered = [this, key, keep = question.keep, done](HttpAnswer said) {
    AccessAnswer answer = answer_of(std::move(said));
    if (answer.fault.empty()) remember(key, answer.allowed, keep);
    done(std::move(answer));
  };
  const bool taken =
      asked != nullptr && asked->ask({std::move(question.url), std::move(question.body),
                                      question.timeout, std::move(answered)});
  if (!taken) done({false, "too many questions to it are open"});
}

HttpCaller* AccessCaller::caller() {
  if (stopped_) return nullptr;
  if (!caller_) caller_ = std::make_unique<HttpCaller>();
  return caller_.get();
}

void AccessCaller::remember(const Bytes& key, bool allowed, Millis keep) {
  if (keep.count() == 0) return;
  const std::lock_guard lock{mutex_};
  if (answers_.size() >= limits::remembered_answers) answers_.clear();
  answers_[key] = {allowed, clock_.now() + keep};
}

void AccessCaller::forget() {
  const std::lock_guard lock{mutex_};
  answers_.clear();
}

void AccessCaller::stop() {
  HttpCaller* running = nullptr;
  {
    const std::lock_guard lock{mutex_};
    stopped_ = true;
    running = caller_.get();
  }
  if (running != nullptr) running->stop();
}

std::string connect_question(const AccessSubject& who, BytesView password) {
  if (!mqtt::valid_utf8(password)) return {};
  Json json = describe(who);
  json["password"] = password;
  return text_of(json);
}

std::string right_question(const AccessSubject& who, Access access, BytesView topic) {
  Json json = describe(who);
  json["access"] = access == Access::write ? "write" : "read";
  json["topic"] = topic;
  if (access == Access::write) return text_of(json);
  if (const auto shared = mqtt::parse_shared(topic)) {
    json["topic"] = shared->filter;
    json["group"] = shared->group;
  }
  return text_of(json);
}

}  // namespace naru::broker
