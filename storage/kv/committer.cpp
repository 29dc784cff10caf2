// storage/kv/committer.cpp: the loop of the commit thread and the door to it.

#include "storage/kv/committer.hpp"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "storage/base/check.hpp"
#include "storage/kv/commit_batch.hpp"

namespace naru::storage {
namespace {

using SteadyClock = std::chrono::steady_clock;
using TimePoint = SteadyClock::time_point;

// A batch of fewer units shows that nobody would be served by waiting for more.
constexpr std::size_t few_units = 8;
// Consumed submissions kept at the front of the queue before they are moved out of the way.
constexpr std::size_t consumed_max = 256;

// One call of submit() or, without units, of resume().
struct Submission {
  std::size_t source;
  std::vector<CommitUnit> units;
  std::size_t bytes = 0;
  bool urgent = false;
  bool resume = false;
  TimePoint arrived;
  std::size_t next = 0;  // The first unit that is in no batch yet.
};

Submission make_submission(std::size_t source, std::vector<CommitUnit>&& units) {
  Submission made{.source = source, .units = std::move(units), .arrived = SteadyClock::now()};
  const Bytes* last_message = nullptr;
  for (const CommitUnit& unit : made.units) {
    made.bytes += CommitBatch::own_bytes(unit);
    if (unit.message && unit.message.get() != last_message) made.bytes += unit.message->size();
    last_message = unit.message.get();
    made.urgent = made.urgent || unit.urgent;
  }
  return made;
}

// What lies before the commit thread, as far as it decides when to commit.
struct Waiting {
  std::size_t bytes = 0;
  std::optional<TimePoint> since;
  std::optional<TimePoint> urgent_since;

  void add(const Submission& submission) {
    if (submission.units.empty()) return;
    bytes += submission.bytes;
    if (!since) since = submission.arrived;
    if (submission.urgent && !urgent_since) urgent_since = submission.arrived;
  }
};

}  // namespace

class Committer::Loop {
 public:
  Loop(KvStore& store, Options options, std::uint64_t first_journal_number)
      : store_(store), options_(options), next_number_(first_journal_number) {
    stats_.next_journal_number = next_number_;
  }

  std::size_t add_source(Done done) {
    NARU_CHECK(!thread_.joinable());
    sources_.push_back({.done = std::move(done), .failure = {}, .outcomes = {}});
    return sources_.size() - 1;
  }

  void start() {
    NARU_CHECK(!thread_.joinable());
    thread_ = std::thread{[this] { run(); }};
    pthread_setname_np(thread_.native_handle(), "naru-commit");
  }

  void enter(Submission&& submission);
  void stop();

  Stats stats() const {
    const std::lock_guard lock{mutex_};
    Stats stats = stats_;
    if (waiting_.since) {
      stats.oldest_wait =
          std::chrono::duration_cast<Duration>(SteadyClock::now() - *waiting_.since);
    }
    return stats;
  }

  std::size_t source_count() const { return sources_.size(); }

 private:
  struct Source {
    Done done;
    std::optional<Errc> failure;  // What its units get until it calls resume().
    std::vector<CommitOutcome> outcomes;
  };
  // A unit that gets its outcome in this turn.
  struct Member {
    std::size_t source;
    std::uint64_t ticket;
    std::size_t place;            // In the batch; means nothing when it failed already.
    std::optional<Errc> failure;  // Its source's when the batch was filled: it was not tried.
  };

  void run();
  bool await_work();
  void take_inbox();
  std::optional<TimePoint> due() const;
  void fill_batch();
  bool fits(const CommitUnit& unit) const;
  std::optional<Errc> failure_of(const Source& source) const {
    return broken_ ? broken_ : source.failure;
  }
  std::optional<Errc> commit_batch();
  void answer(std::optional<Errc> failure);
  void count(Duration took, std::optional<Errc> failure);
  void drop_consumed();

  KvStore& store_;
  const Options options_;
  std::thread thread_;

  mutable std::mutex mutex_;  // Guards what follows, up to the next empty line.
  std::condition_variable wake_;
  std::vector<Submission> inbox_;
  Waiting waiting_;  // Inbox and queue together.
  bool asleep_ = false;
  bool stopping_ = false;
  bool finished_ = false;
  Stats stats_;

  // The commit thread's own.
  std::vector<Source> sources_;
  std::vector<Submission> queue_;
  std::size_t head_ = 0;  // The first submission in queue_ that is not used up.
  CommitBatch batch_;
  std::vector<Member> members_;
  std::uint64_t next_number_;
  std::optional<Errc> broken_;  // The store must not be written to again.
  std::size_t last_units_ = 0;
  TimePoint last_end_{};
  TimePoint batch_since_{};
};

void Committer::Loop::enter(Submission&& submission) {
  bool wake = false;
  {
    const std::lock_guard lock{mutex_};
    if (finished_) return;
    const Waiting before = waiting_;
    waiting_.add(submission);
    inbox_.push_back(std::move(submission));
    // Only what brings the next commit forward is worth a wake-up.
    wake = asleep_ &&
           (waiting_.since != before.since || waiting_.urgent_since != before.urgent_since ||
            waiting_.bytes >= options_.batch_bytes_max);
    if (wake) asleep_ = false;
  }
  if (wake) wake_.notify_one();
}

void Committer::Loop::stop() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    asleep_ = false;
    if (!thread_.joinable()) finished_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Committer::Loop::run() {
  while (await_work()) {
    fill_batch();
    const auto failure = commit_batch();
    answer(failure);
    drop_consumed();
  }
}

// Sleeps until a batch is due. False when stopping and nothing is left.
bool Committer::Loop::await_work() {
  std::unique_lock lock{mutex_};
  while (true) {
    take_inbox();
    if (stopping_) {
      finished_ = head_ == queue_.size();
      return !finished_;
    }
    const auto at = due();
    if (at && *at <= SteadyClock::now()) return true;
    asleep_ = true;
    if (at) {
      wake_.wait_until(lock, *at, [this] { return !asleep_; });
    } else {
      wake_.wait(lock, [this] { return !asleep_; });
    }
    asleep_ = false;
  }
}

void Committer::Loop::take_inbox() {
  if (queue_.empty()) {
    queue_.swap(inbox_);
    return;
  }
  std::move(inbox_.begin(), inbox_.end(), std::back_inserter(queue_));
  inbox_.clear();
}

std::optional<TimePoint> Committer::Loop::due() const {
  if (!waiting_.since) return {};
  if (waiting_.bytes >= options_.batch_bytes_max) return TimePoint{};
  if (!waiting_.urgent_since) return *waiting_.since + options_.lazy_max;
  if (last_units_ < few_units) return TimePoint{};
  return std::min(last_end_ + options_.gather, *waiting_.urgent_since + options_.gather_max);
}

void Committer::Loop::fill_batch() {
  for (; head_ < queue_.size(); ++head_) {
    Submission& submission = queue_[head_];
    Source& source = sources_[submission.source];
    if (submission.resume) source.failure.reset();
    for (; submission.next < submission.units.size(); ++submission.next) {
      const CommitUnit& unit = submission.units[submission.next];
      const auto failed = failure_of(source);
      if (!failed && !fits(unit)) return;
      members_.push_back({submission.source, unit.ticket, batch_.units(), failed});
      if (failed) continue;
      if (batch_.units() == 0) batch_since_ = submission.arrived;  // The queue is in order.
      batch_.add(unit, submission.source);
    }
  }
}

bool Committer::Loop::fits(const CommitUnit& unit) const {
  if (batch_.units() == 0) return true;  // However big: it must go some time.
  if (options_.single_unit_batches) return false;
  const std::size_t message = unit.message ? unit.message->size() : 0;
  return batch_.bytes() + CommitBatch::own_bytes(unit) + message <= options_.batch_bytes_max;
}

std::optional<Errc> Committer::Loop::commit_batch() {
  if (batch_.units() == 0) return {};
  const Batch& batch = batch_.encode(next_number_);
  const TimePoint begin = SteadyClock::now();
  const auto done = store_.commit(batch, options_.durability);
  last_end_ = SteadyClock::now();
  last_units_ = batch_.units();

  std::optional<Errc> failure;
  if (done) {
    next_number_ += batch_.entries();
  } else if (done.error().code == Errc::no_space) {
    failure = Errc::no_space;
  } else {
    failure = broken_ = Errc::io;
  }
  count(std::chrono::duration_cast<Duration>(last_end_ - begin), failure);
  return failure;
}

void Committer::Loop::answer(std::optional<Errc> failure) {
  for (const Member& member : members_) {
    Source& source = sources_[member.source];
    CommitOutcome outcome{.ticket = member.ticket, .journal_number = 0, .failure = member.failure};
    if (!member.failure) {
      outcome.failure = failure;
      if (failure) {
        source.failure = failure;
      } else {
        outcome.journal_number = batch_.number_of(member.place);
      }
    }
    source.outcomes.push_back(outcome);
  }
  members_.clear();
  batch_.clear();
  for (Source& source : sources_) {
    if (!source.outcomes.empty()) source.done(std::exchange(source.outcomes, {}));
  }
}

void Committer::Loop::count(Duration took, std::optional<Errc> failure) {
  const std::lock_guard lock{mutex_};
  if (failure) {
    stats_.failed += batch_.units();
    return;
  }
  ++stats_.commits;
  stats_.units += batch_.units();
  stats_.next_journal_number = next_number_;
  stats_.bytes += batch_.bytes();
  stats_.last_commit = took;
  stats_.longest_commit = std::max(stats_.longest_commit, took);
  stats_.commit_times.add(took);
  stats_.waits.add(std::chrono::duration_cast<Duration>(last_end_ - batch_since_));
}

void Committer::Loop::drop_consumed() {
  const auto consumed = static_cast<std::ptrdiff_t>(head_);
  if (head_ == queue_.size() || head_ >= consumed_max) {
    queue_.erase(queue_.begin(), queue_.begin() + consumed);
    head_ = 0;
  }
  // What is left of a submission counts as a whole: at worst the next commit comes early.
  const std::lock_guard lock{mutex_};
  waiting_ = {};
  for (std::size_t n = head_; n < queue_.size(); ++n) waiting_.add(queue_[n]);
  for (const Submission& submission : inbox_) waiting_.add(submission);
}

Committer::Committer(KvStore& store, Options options, std::uint64_t first_journal_number)
    : loop_(std::make_unique<Loop>(store, options, first_journal_number)) {}

Committer::~Committer() { stop(); }

std::size_t Committer::add_source(Done done) { return loop_->add_source(std::move(done)); }

void Committer::start() { loop_->start(); }

void Committer::submit(std::size_t source, std::vector<CommitUnit>&& units) {
  NARU_CHECK(source < loop_->source_count());
  if (!units.empty()) loop_->enter(make_submission(source, std::move(units)));
}

void Committer::resume(std::size_t source) {
  NARU_CHECK(source < loop_->source_count());
  loop_->enter({.source = source, .units = {}, .resume = true, .arrived = {}});
}

void Committer::stop() { loop_->stop(); }

Committer::Stats Committer::stats() const { return loop_->stats(); }

}  // namespace naru::storage
