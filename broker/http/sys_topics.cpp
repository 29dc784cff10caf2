#include "broker/http/sys_topics.hpp"

#include <cmath>
#include <cstdio>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "broker/http/counters.hpp"
#include "broker/http/scrape.hpp"
#include "broker/session/shard_core.hpp"

namespace naru::broker {

namespace {

using C = ShardCounters;
using N = NodeStats;

constexpr std::string_view root = "$SYS/broker/";

// clang-format off
struct NodeTopic {
  std::uint64_t N::*member;
  std::string_view topic;
};
constexpr NodeTopic node_topics[] = {
  {&N::subscriptions, "subscriptions/count"},
  {&N::retained,      "retained messages/count"},
  {&N::queued,        "store/messages/count"},
  {&N::queued_bytes,  "store/messages/bytes"},
  {&N::problems,      "problems"},
};

struct CounterTopic {
  std::uint64_t C::*member;
  std::string_view topic;
  std::string_view load;  // Where its rates stand; empty: nowhere.
};
constexpr CounterTopic counter_topics[] = {
  {&C::publishes_in,   "publish/messages/received", "load/publish/received"},
  {&C::deliveries_out, "publish/messages/sent",     "load/publish/sent"},
  {&C::bytes_in,       "bytes/received",            "load/bytes/received"},
  {&C::bytes_out,      "bytes/sent",                "load/bytes/sent"},
  {&C::connects,       "clients/accepted",          "load/connections"},
};
static_assert(std::size(counter_topics) == SysTopics::loads);

struct Span {
  double minutes;
  std::string_view name;
};
constexpr std::array<Span, SysTopics::spans> spans{{{1, "1min"}, {5, "5min"}, {15, "15min"}}};
// clang-format on

Bytes two_places(double value) {
  char text[40];
  const int size = std::snprintf(text, sizeof text, "%.2f", value);
  return {text, static_cast<std::size_t>(size)};
}

class List {
 public:
  void add(std::string_view topic, Bytes value) {
    topics.push_back({Bytes{root}.append(topic), std::move(value)});
  }
  void add(std::string_view topic, std::uint64_t value) { add(topic, std::to_string(value)); }
  std::vector<BrokerTopic> topics;
};

void add_clients(List& list, const Scrape& scrape) {
  const std::uint64_t connected = scrape.counters.connects - scrape.counters.disconnects;
  const std::uint64_t away = scrape.node.sessions - scrape.node.sessions_connected;
  list.add("clients/connected", connected);
  list.add("clients/active", connected);
  list.add("clients/disconnected", away);
  list.add("clients/inactive", away);
  list.add("clients/total", connected + away);
}

awaitable<void> tell_sys_topics(Control* control, Duration interval) {
  boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor};
  SysTopics topics;
  Duration elapsed{0};
  while (true) {
    auto gathering = gather_scrape(control);
    const Scrape scrape = co_await std::move(gathering);
    auto telling = control->run(
        0, [news = topics.update(scrape, elapsed)](ShardCore& core) { core.tell(news); });
    co_await std::move(telling);
    timer.expires_after(interval);
    elapsed = interval;
    auto waiting = timer.async_wait(boost::asio::use_awaitable);
    co_await std::move(waiting);
  }
}

}  // namespace

std::vector<BrokerTopic> SysTopics::update(const Scrape& scrape, Duration elapsed) {
  List list;
  list.add("version", "naru version " + scrape.version);
  list.add("uptime", std::to_string(scrape.node.uptime) + " seconds");
  add_clients(list, scrape);
  for (const NodeTopic& row : node_topics) list.add(row.topic, scrape.node.*row.member);
  std::uint64_t dropped = 0;
  for (const auto& row : counter_rows()) {
    if (row.name == dropped_metric) dropped += scrape.counters.*row.member;
  }
  list.add("publish/messages/dropped", dropped);

  const double minutes = std::chrono::duration<double, std::ratio<60>>{elapsed}.count();
  for (std::size_t i = 0; i < loads; ++i) {
    const CounterTopic& row = counter_topics[i];
    const std::uint64_t count = scrape.counters.*row.member;
    list.add(row.topic, count);
    const std::uint64_t risen = count - std::exchange(counted_[i], count);
    for (std::size_t span = 0; span < spans && minutes > 0; ++span) {
      const double rate = static_cast<double>(risen) / minutes;
      double& average = per_minute_[i][span];
      average = rate + std::exp(-minutes / broker::spans[span].minutes) * (average - rate);
    }
    for (std::size_t span = 0; span < spans; ++span) {
      list.add(Bytes{row.load}.append("/").append(broker::spans[span].name),
               two_places(per_minute_[i][span]));
    }
  }
  return std::move(list.topics);
}

void start_sys_topics(boost::asio::io_context& first, Control* control, Duration interval) {
  boost::asio::co_spawn(first, tell_sys_topics(control, interval), boost::asio::detached);
}

}  // namespace naru::broker
