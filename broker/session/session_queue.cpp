#include "broker/session/session_queue.hpp"

#include <algorithm>
#include <utility>

#include "storage/base/check.hpp"

namespace naru::broker {

namespace {
constexpr std::size_t trim_at = 64;  // Dead entries in front before the rest moves down.
}  // namespace

void SessionQueue::enqueue(std::uint64_t number, Entry entry,
                           std::vector<std::uint32_t> subscription_ids) {
  if (number <= last_) return;
  NARU_CHECK(number == last_ + 1);
  if (!subscription_ids.empty()) {
    if (id_lists_.empty()) id_lists_.emplace_back();
    const auto same = std::ranges::find(id_lists_, subscription_ids);
    entry.ids = static_cast<std::uint32_t>(same - id_lists_.begin());
    if (same == id_lists_.end()) id_lists_.push_back(std::move(subscription_ids));
  }
  last_ = number;
  if (reserved_ < last_) reserved_ = last_;
  bytes_ += entry.size;
  entries_.push_back(std::move(entry));
}

std::uint64_t SessionQueue::skip_to(std::uint64_t number) {
  std::uint64_t missing = 0;
  for (; last_ + 1 < number; ++missing) {
    Entry lost;
    lost.state = State::done;
    entries_.push_back(lost);
    ++last_;
    ++done_ahead_;
  }
  reserved_ = std::max(reserved_, last_);
  if (missing != 0) moved_through_ = std::max(moved_through_, last_);
  trim();
  return missing;
}

void SessionQueue::apply(const storage::CursorRow& cursor) {
  const bool was_dirty = dirty_;
  if (cursor.sent_through > sent_through_) sent_through_ = cursor.sent_through;
  if (entries_.size() == head_ && cursor.acked_through > acked_through_) {
    acked_through_ = cursor.acked_through;  // On a replica or at a start, before the entries.
    last_ = std::max(last_, acked_through_);
    reserved_ = std::max(reserved_, last_);
    next_ = acked_through_ + 1;
  }
  while (acked_through_ < cursor.acked_through) drop(acked_through_ + 1);
  for (const std::uint64_t number : cursor.done) {
    if (number <= last_) drop(number);
  }
  for (const std::uint64_t number : cursor.released) {
    if (number <= acked_through_ || number > last_) continue;
    Entry& entry = at(number);
    if (entry.state == State::releasing) releasing_.push_back(number);
    if (entry.state != State::done) entry.state = State::released;
    entry.message.reset();
    moved_through_ = std::max(moved_through_, number);
  }
  dirty_ = was_dirty;  // What came from the disk need not go there.
}

std::size_t SessionQueue::waiting() const {
  return static_cast<std::size_t>(reserved_ - acked_through_) - done_ahead_;
}

void SessionQueue::attach(std::uint16_t window) {
  dropped_through_ = 0;
  window_ = window;
  in_flight_ = 0;
  in_flight_bytes_ = 0;
  next_ = acked_through_ + 1;
  for (std::size_t i = head_; i < entries_.size(); ++i) {
    if (entries_[i].state == State::sent) entries_[i].state = State::waiting;
  }
}

void SessionQueue::detach() {
  dropped_through_ = 0;
  window_ = 0;
  for (std::size_t i = head_; i < entries_.size(); ++i) entries_[i].message.reset();
}

std::uint64_t SessionQueue::next_to_send() const {
  if (in_flight_ >= window_ || in_flight_bytes_ >= in_flight_bytes_max) return 0;
  std::uint64_t number = next_;
  while (number <= last_ && at(number).state == State::done) ++number;
  // An id is never given to two open entries: the entry waits until its id is free.
  if (number > last_ || number - acked_through_ > queue_packet_ids) return 0;
  return number;
}

SessionQueue::Entry& SessionQueue::at(std::uint64_t number) {
  return const_cast<Entry&>(std::as_const(*this).at(number));
}

const SessionQueue::Entry& SessionQueue::at(std::uint64_t number) const {
  NARU_CHECK(number > acked_through_ && number <= last_);
  return entries_[head_ + static_cast<std::size_t>(number - acked_through_ - 1)];
}

const std::vector<std::uint32_t>& SessionQueue::subscription_ids(const Entry& entry) const {
  static const std::vector<std::uint32_t> none;
  return entry.ids == 0 ? none : id_lists_[entry.ids];
}

void SessionQueue::on_sent(std::uint64_t number) {
  Entry& entry = at(number);
  if (entry.state == State::waiting) entry.state = State::sent;
  entry.message.reset();
  ++in_flight_;
  in_flight_bytes_ += entry.size;
  next_ = number + 1;
  moved_through_ = std::max(moved_through_, number);
  if (number <= sent_through_) return;
  sent_through_ = number;
  sent_dirty_ = true;
}

void SessionQueue::may_have_sent(std::uint16_t window) {
  for (std::uint64_t number = acked_through_ + 1; number <= last_ && window != 0; ++number) {
    if (at(number).state != State::waiting) continue;
    --window;
    if (number <= sent_through_) continue;
    sent_through_ = number;
    sent_dirty_ = true;
  }
}

std::uint64_t SessionQueue::find(std::uint16_t packet_id) const {
  if (packet_id == 0 || packet_id > queue_packet_ids) return 0;
  const std::uint64_t base = acked_through_ + 1;
  const std::uint64_t wanted = packet_id - 1u;
  const std::uint64_t ahead =
      (wanted + queue_packet_ids - base % queue_packet_ids) % queue_packet_ids;
  const std::uint64_t number = base + ahead;
  return number < next_ && number <= last_ ? number : 0;
}

bool SessionQueue::on_puback(std::uint64_t number) {
  Entry& entry = at(number);
  if (entry.state != State::sent || (entry.options & 3) != 1) return false;
  land(entry);
  finish(number);
  return true;
}

bool SessionQueue::on_pubrec(std::uint64_t number) {
  Entry& entry = at(number);
  if (entry.state == State::released) {  // The client asks again for the PUBREL.
    releasing_.push_back(number);
    return true;
  }
  if (entry.state == State::releasing) return true;
  if (entry.state != State::sent || (entry.options & 3) != 2) return false;
  entry.state = State::releasing;
  dirty_ = urgent_ = true;
  return true;
}

bool SessionQueue::on_pubcomp(std::uint64_t number) {
  if (at(number).state != State::released) return false;
  land(at(number));
  finish(number);
  return true;
}

void SessionQueue::drop(std::uint64_t number) {
  if (number <= acked_through_) return;
  Entry& entry = at(number);
  if (entry.state == State::done) return;
  if (entry.state != State::waiting && window_ != 0 && number < next_) land(entry);
  finish(number);
}

std::uint64_t SessionQueue::drop_oldest_waiting() {
  // Of a session nobody is attached to, what was sent may go too, or it would keep a place for all
  // that is dropped behind it. Not at QoS 2: the client may know it, and remembers its id.
  const bool away = window_ == 0;
  const auto may_go = [away](const Entry& entry) {
    return entry.state == State::waiting ||
           (away && entry.state == State::sent && (entry.options & 3) == 1);
  };
  const std::uint64_t begin = std::max(away ? 0 : next_, acked_through_ + 1);
  for (std::uint64_t number = std::max(begin, dropped_through_ + 1); number <= last_; ++number) {
    if (!may_go(at(number))) continue;
    dropped_through_ = number;
    drop(number);
    return number;
  }
  return 0;
}

// It is no longer on its way.
void SessionQueue::land(const Entry& entry) {
  --in_flight_;
  in_flight_bytes_ -= entry.size;
}

void SessionQueue::finish(std::uint64_t number) {
  Entry& entry = at(number);
  entry.state = State::done;
  entry.message.reset();
  bytes_ -= entry.size;
  ++done_ahead_;
  dirty_ = true;
  moved_through_ = std::max(moved_through_, number);
  trim();
}

void SessionQueue::trim() {
  while (head_ < entries_.size() && entries_[head_].state == State::done) {
    ++head_;
    ++acked_through_;
    --done_ahead_;
  }
  if (next_ <= acked_through_) next_ = acked_through_ + 1;
  if (head_ == entries_.size()) {
    entries_.clear();
    head_ = 0;
    id_lists_.clear();
  } else if (head_ >= trim_at && head_ * 2 >= entries_.size()) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

storage::CursorRow SessionQueue::take_cursor() {
  dirty_ = urgent_ = false;
  return take_sent();
}

storage::CursorRow SessionQueue::take_sent() {
  sent_dirty_ = false;
  return cursor();
}

storage::CursorRow SessionQueue::cursor() const {
  storage::CursorRow cursor;
  cursor.acked_through = acked_through_;
  cursor.sent_through = sent_through_;
  // Not only up to next_: after a reconnect that is back at the oldest, and what was said of those
  // behind it still holds.
  for (std::uint64_t number = acked_through_ + 1; number <= moved_through_; ++number) {
    const State state = at(number).state;
    if (state == State::done) cursor.done.push_back(number);
    if (state == State::releasing || state == State::released) cursor.released.push_back(number);
  }
  return cursor;
}

std::vector<std::uint64_t> SessionQueue::take_released() { return std::exchange(releasing_, {}); }

void SessionQueue::encode_durable(Bytes& out) const {
  Encoder encode{out};
  encode(acked_through_, last_);
  for (std::uint64_t number = acked_through_ + 1; number <= last_; ++number) {
    const Entry& entry = at(number);
    const bool done = entry.state == State::done;
    const bool released = entry.state == State::released || entry.state == State::releasing;
    encode(std::uint8_t(done), std::uint8_t(released), entry.options, subscription_ids(entry));
  }
}

}  // namespace naru::broker
