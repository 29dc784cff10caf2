#include "broker/session/delayed_queue.hpp"

#include "storage/base/check.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

void DelayedQueue::count(BytesView client_id) {
  ++size_;
  const auto found = of_clients_.find(client_id);
  if (found == of_clients_.end()) {
    of_clients_.emplace(Bytes{client_id}, std::uint64_t{1});
  } else {
    ++found->second;
  }
}

void DelayedQueue::discount(BytesView client_id) {
  const auto found = of_clients_.find(client_id);
  NARU_CHECK(found != of_clients_.end());
  --size_;
  if (--found->second == 0) of_clients_.erase(found);
}

std::uint64_t DelayedQueue::of_client(BytesView client_id) const {
  const auto found = of_clients_.find(client_id);
  return found == of_clients_.end() ? 0 : found->second;
}

std::optional<DelayedQueue::Place> DelayedQueue::take_due(StoreMillis now) {
  if (waiting_.empty() || waiting_.begin()->due_at > now || now < paused_until_) return {};
  if (on_their_way_.size() >= limits::delayed_at_once) return {};
  const Place next = *waiting_.begin();
  waiting_.erase(waiting_.begin());
  on_their_way_.insert({next.lane, next.id});
  taken_.push_back(next);
  return next;
}

std::optional<DelayedQueue::Place> DelayedQueue::first_taken() const {
  if (taken_.empty()) return {};
  return taken_.front();
}

}  // namespace naru::broker
