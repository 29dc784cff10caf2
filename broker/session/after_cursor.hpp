// broker/session/after_cursor.hpp
//
// AfterCursor keeps what may be said of a session only when its cursor is on disk: with the next
// cursor, or with the one on its way.
//
//   add() --begin()--> on its way --take_committed()--> said
//     ^                    |
//     +---- put_back() ----+   the cursor was not written
//
// Sans-IO. Lives on the shard that owns the lane. Owned by Session and Group, by value.
// Bounded by: what one session or group has in flight.
#pragma once

#include <utility>
#include <vector>

namespace naru::broker {

template <class Word>
class AfterCursor {
 public:
  void add(const Word& word) { next_.push_back(word); }
  // The cursor on its way says it already. REQUIRES: one is.
  void add_to_current(const Word& word) { current_.push_back(word); }
  // The next cursor leaves. True: somebody waits for it. REQUIRES: none is on its way.
  bool begin() {
    current_ = std::exchange(next_, {});
    return !current_.empty();
  }
  std::vector<Word> take_committed() { return std::exchange(current_, {}); }
  void put_back() {
    next_.insert(next_.begin(), current_.begin(), current_.end());
    current_.clear();
  }
  // All, in order, of a session that is gone.
  void append_to(std::vector<Word>& words) const {
    words.insert(words.end(), current_.begin(), current_.end());
    words.insert(words.end(), next_.begin(), next_.end());
  }

 private:
  std::vector<Word> next_, current_;
};

}  // namespace naru::broker
