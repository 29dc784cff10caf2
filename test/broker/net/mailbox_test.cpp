// Goal: what several threads put into a mailbox comes out once, and in order per sender; somebody
// is woken whenever there is something to take. Method: real threads, a waiting taker.

#include "broker/net/mailbox.hpp"

#include <condition_variable>
#include <thread>

#include <catch2/catch.hpp>

namespace naru::broker {
namespace {

constexpr std::uint64_t senders = 3;
constexpr std::uint64_t hops_each = 2'000;

// A hop that says who sent it and its place.
Hop numbered(std::uint64_t sender, std::uint64_t number) {
  return hop::Committed{sender << 32 | number, 0, {}, 0};
}

}  // namespace

TEST_CASE("A mailbox keeps each sender's order and loses nothing", "[mailbox]") {
  Mailbox mailbox;
  std::mutex mutex;
  std::condition_variable woken;
  bool called = false;
  std::vector<std::thread> threads;
  for (std::uint64_t sender = 0; sender < senders; ++sender) {
    threads.emplace_back([&, sender] {
      for (std::uint64_t number = 1; number <= hops_each; ++number) {
        const bool wake =
            mailbox.put([&](Mail& mail) { mail.hops.push_back(numbered(sender, number)); });
        if (!wake) continue;
        const std::lock_guard lock{mutex};
        called = true;
        woken.notify_one();
      }
    });
  }
  std::vector<std::uint64_t> last(senders, 0);
  std::uint64_t taken = 0;
  bool in_order = true;
  Mail mail;
  while (taken < senders * hops_each) {
    {
      std::unique_lock lock{mutex};
      REQUIRE(woken.wait_for(lock, std::chrono::seconds{20}, [&] { return called; }));
      called = false;
    }
    mailbox.take(mail);
    for (const Hop& hop : mail.hops) {
      const std::uint64_t number = std::get<hop::Committed>(hop).number;
      std::uint64_t& before = last[number >> 32];
      in_order = in_order && (number & 0xffffffff) == before + 1;
      before = number & 0xffffffff;
      ++taken;
    }
    mail.clear();
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(in_order);
  CHECK(taken == senders * hops_each);
}

}  // namespace naru::broker
