// test/support/command_checker_test.cpp
//
// Goal: the checker of commands accepts what may become of a command and catches what may not.
// Method: the life of one command told by hand, as it should be and then with a planted fault.

#include <catch2/catch.hpp>

#include "test/support/command_history.hpp"

namespace naru::test {
namespace {

using broker::CommandState;

constexpr StoreMillis expiry = 50'000;

class Story {
 public:
  // The next thing happens a millisecond later.
  Story& say(CommandEvent event, std::uint64_t number = 0) {
    CommandRecord record;
    record.event = event;
    record.number = number;
    return add(std::move(record));
  }
  Story& say(CommandEvent event, CommandState state) {
    CommandRecord record;
    record.event = event;
    record.state = state;
    if (event == CommandEvent::step) record.expires_at = expiry;
    return add(std::move(record));
  }
  Story& step(CommandState state) { return say(CommandEvent::step, state); }
  Story& at(StoreMillis now) {
    now_ = now;
    return *this;
  }
  Story& promise() {
    return say(CommandEvent::asked).step(CommandState::queued).say(CommandEvent::promised);
  }
  Story& deliver() {
    return say(CommandEvent::left, 1)
        .step(CommandState::sent)
        .say(CommandEvent::received)
        .step(CommandState::delivered);
  }
  Story& succeed() {
    return say(CommandEvent::said, CommandState::succeeded)
        .step(CommandState::succeeded)
        .say(CommandEvent::taken, CommandState::succeeded);
  }
  Story& expire() { return at(expiry).step(CommandState::expired); }
  // Empty: nothing is wrong.
  std::string verdict() const {
    const Violations found = check_commands(history_);
    if (found.empty()) return {};
    const std::string& text = found.front().text;
    return text.substr(0, text.find('\n'));
  }

 private:
  Story& add(CommandRecord record) {
    record.at = ++now_;
    record.command = "c1";
    history_.push_back(std::move(record));
    return *this;
  }

  StoreMillis now_ = 1'000;
  CommandHistory history_;
};

using What = CommandEvent;
using State = CommandState;

}  // namespace

TEST_CASE("check_commands accepts every way in which a command may end", "[support][command]") {
  CHECK(Story{}.promise().deliver().succeed().verdict().empty());
  CHECK(Story{}.promise().deliver().expire().verdict().empty());
  CHECK(Story{}
            .promise()
            .say(What::cancel_asked)
            .step(State::cancelled)
            .say(What::cancelled)
            .verdict()
            .empty());
  CHECK(Story{}.say(What::asked).say(What::refused).verdict().empty());
  CHECK(Story{}.say(What::asked).verdict().empty());
  SECTION("and one that the operator asked for again after a refusal") {
    CHECK(Story{}
              .say(What::asked)
              .say(What::refused)
              .promise()
              .deliver()
              .say(What::left, 2)
              .succeed()
              .verdict()
              .empty());
  }
  SECTION("and one that newer ones have pushed out") {
    CHECK(Story{}.promise().deliver().succeed().say(What::vanished, 50).verdict().empty());
  }
}

TEST_CASE("check_commands says what is wrong with the life of a command", "[support][command]") {
  struct Row {
    const char* what;
    Story story;
  };
  const auto row = GENERATE(values<Row>(
      {Row{"was promised and is not in the ledger", Story{}.say(What::asked).say(What::promised)},
       Row{"never ended", Story{}.promise().deliver()},
       Row{"is lost", Story{}.promise().deliver().say(What::vanished, 50)},
       Row{"is lost", Story{}.promise().deliver().succeed().say(What::vanished, 49)},
       Row{"went back", Story{}.promise().deliver().step(State::sent).expire()},
       Row{"went back", Story{}.promise().deliver().succeed().expire()},
       Row{"did not begin as queued", Story{}.say(What::asked).step(State::sent).expire()},
       Row{"was refused and is in the ledger",
           Story{}.say(What::asked).say(What::refused).step(State::queued).expire()},
       Row{"left though nobody asked for it, or it was refused",
           Story{}.say(What::asked).say(What::refused).say(What::left, 1)},
       Row{"left after it was cancelled", Story{}
                                              .promise()
                                              .say(What::cancel_asked)
                                              .step(State::cancelled)
                                              .say(What::cancelled)
                                              .say(What::left, 1)},
       Row{"is not cancelled though promised",
           Story{}.promise().say(What::cancel_asked).say(What::cancelled).expire()},
       Row{"left after it had expired", Story{}.promise().at(expiry).say(What::left, 1)},
       Row{"left twice on one connection",
           Story{}.promise().deliver().say(What::left, 1).succeed()},
       Row{"was received before it left", Story{}.promise().say(What::received).expire()},
       Row{"is not what was sent",
           Story{}.promise().say(What::left, 1).say(What::received, 1).expire()},
       Row{"was delivered to nobody", Story{}.promise().step(State::delivered).expire()},
       Row{"is what its device never said", Story{}.promise().deliver().step(State::running)},
       Row{"was cancelled by nobody", Story{}.promise().step(State::cancelled)},
       Row{"expired too early", Story{}.promise().step(State::expired)},
       Row{"is not what its device said and the broker acknowledged",
           Story{}
               .promise()
               .deliver()
               .say(What::said, State::succeeded)
               .say(What::taken, State::succeeded)
               .expire()},
       Row{"expired while its device waited for it",
           Story{}.promise().say(What::waiting).expire()}}));
  CHECK(row.story.verdict() == std::string("command c1 ") + row.what);
}

}  // namespace naru::test
