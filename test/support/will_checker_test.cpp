// test/support/will_checker_test.cpp
//
// Goal: the checker of wills accepts an honest history and catches a will that comes when it should
// not, or never. Method: short runs told by hand, once as they should be and once with one fault.

#include "test/support/story.hpp"

namespace naru::test {

TEST_CASE("wills catches a will that fires twice, never, or after a goodbye", "[checkers]") {
  constexpr std::uint32_t carol = 3;
  Story story = beginning();
  story.connect(carol, flag::clean_start, false).will(Event::will_registered, carol).lose(carol);
  SECTION("as it should be") {
    story.will(Event::will_due, carol).will(Event::received, carol);
    end(story);
    accept(story);
  }
  SECTION("never") {
    story.will(Event::will_due, carol);
    end(story);
    refuse(story, "wills", "was due and never reached");
  }
  SECTION("after a goodbye") {
    story.will(Event::will_cancelled, carol).will(Event::received, carol);
    end(story);
    refuse(story, "wills", "was cancelled and reached");
  }
  SECTION("unknown fate: both are right") {
    if (GENERATE(false, true)) story.will(Event::received, carol);
    end(story);
    accept(story);
  }
  SECTION("a crash and a return: both are right") {
    story.will(Event::will_due, carol).event(0, Event::broker_crash);
    story.connect(carol, flag::clean_start, false);
    end(story);
    accept(story);
  }
}

TEST_CASE("wills and duplicates both catch a will that fires twice", "[checkers]") {
  Story story = beginning();
  story.connect(3, flag::clean_start, false).will(Event::will_registered, 3).lose(3);
  story.will(Event::will_due, 3).will(Event::received, 3).will(Event::received, 3);
  end(story);
  CHECK_FALSE(check_wills(Timeline{story.history()}).empty());
  CHECK_FALSE(check_duplicates(Timeline{story.history()}).empty());
}

}  // namespace naru::test
