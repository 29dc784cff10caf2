#include "broker/session/publisher.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "broker/mqtt/types.hpp"
#include "broker/session/subscription_options.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/base/check.hpp"

namespace naru::broker {

using storage::MessageRef;
using storage::MessageView;

namespace {

constexpr std::uint8_t retain_flag = 4;  // Of Delivery::options.

// What a subscription makes of a message: its QoS, and the retain flag where it asked for that.
std::uint8_t delivery_options(const MessageView& view, std::uint8_t subscription) {
  const std::uint8_t qos = std::min<std::uint8_t>(view.qos, subscription & 3);
  const bool retain = view.retain && (subscription & retain_as_published) != 0;
  return static_cast<std::uint8_t>(qos | (retain ? retain_flag : 0));
}

}  // namespace

Publisher::Publisher(const ShardSettings& settings, const RouteTable& routes, const RuleSet& rules,
                     ShardOutput& output, ShardCounters& counters)
    : settings_(settings),
      routes_(routes),
      rules_(rules),
      output_(output),
      counters_(counters),
      targets_(settings.shards),
      durable_(settings.shards) {}

std::uint16_t Publisher::shard_of_topic(BytesView topic) const {
  return settings_.shard_of_lane(cluster::lane_of(topic));
}

bool Publisher::is_wanted(BytesView topic) {
  routes_.match(topic, matches_);
  return !matches_.routes.empty();
}

bool Publisher::has_durable_target(const MessageView& view) {
  if (view.retain) return true;
  routes_.match(view.topic, matches_);
  return std::ranges::any_of(matches_.routes, [](const Route& route) {
    return route.kind == Route::Kind::rule ||
           (route.kind == Route::Kind::session && (route.options & 3) != 0);
  });
}

// A client with several matching filters gets one message with the best QoS and all ids.
void Publisher::merge_owners() {
  auto& routes = matches_.routes;
  const auto order = [](const Route& a, const Route& b) {
    return std::tie(a.kind, a.place, a.owner) < std::tie(b.kind, b.place, b.owner);
  };
  std::ranges::stable_sort(routes, order);
  merged_ids_.clear();
  std::size_t kept = 0;
  for (const Route& route : routes) {
    const bool same = kept > 0 && routes[kept - 1].same_owner(route);
    if (!same) {
      routes[kept++] = route;
      merged_ids_.emplace_back();
    } else {
      Route& best = routes[kept - 1];
      const std::uint8_t flags = (best.options | route.options) & retain_as_published;
      // No local counts only when every one of the filters says so.
      const std::uint8_t local = best.options & route.options & no_local;
      best.options =
          static_cast<std::uint8_t>(std::max(best.options & 3, route.options & 3) | flags | local);
    }
    if (route.subscription_id != 0) merged_ids_[kept - 1].push_back(route.subscription_id);
  }
  routes.resize(kept);
}

void Publisher::add_target(const MessageView& view, const Route& route, std::uint8_t options) {
  const std::uint16_t shard =
      route.kind == Route::Kind::connection ? route.place : settings_.shard_of_lane(route.place);
  Delivery delivery{route.kind, route.place, route.owner, options, {}};
  const auto place = static_cast<std::size_t>(&route - matches_.routes.data());
  if (place < merged_ids_.size()) {
    delivery.subscription_ids = merged_ids_[place];
  } else if (route.subscription_id != 0) {
    delivery.subscription_ids = {route.subscription_id};
  }
  targets_[shard].push_back(std::move(delivery));
  // A sender of QoS 0 waits for nothing.
  if (route.kind == Route::Kind::session && (options & 3) != 0 && view.qos != 0) {
    durable_[shard] = true;
  }
}

void Publisher::sort_out(const MessageView& view, MessageRef& kept, const Route& from,
                         Attempt attempt, LiveSink& live) {
  merged_ids_.clear();
  if (matches_.filters > 1) merge_owners();
  std::vector<std::uint32_t> ids;
  for (const Route& route : matches_.routes) {
    if (route.kind == Route::Kind::rule) {
      rule_hits_.push_back(static_cast<std::size_t>(route.owner));
      continue;
    }
    if ((route.options & no_local) != 0 && route.same_owner(from)) continue;
    const std::uint8_t options = delivery_options(view, route.options);
    const bool stored = route.kind == Route::Kind::session && (options & 3) != 0;
    if (attempt == Attempt::repeat && !stored) continue;
    if (route.kind != Route::Kind::connection || route.place != settings_.shard) {
      add_target(view, route, options);
      continue;
    }
    const auto place = static_cast<std::size_t>(&route - matches_.routes.data());
    if (place < merged_ids_.size()) {
      live.deliver(route.owner, view, kept, options, merged_ids_[place]);
    } else {
      ids.clear();
      if (route.subscription_id != 0) ids.push_back(route.subscription_id);
      live.deliver(route.owner, view, kept, options, ids);
    }
  }
}

std::uint32_t Publisher::send(const MessageView& view, const MessageRef& kept, bool once,
                              ReplyTo reply) {
  std::uint32_t parts = 0;
  const auto to_shard = [&](std::uint16_t shard) {
    return ReplyTo{reply.shard, reply.number, reply.publisher, heard_.tell(reply.publisher, shard)};
  };
  const auto durable_reply = [&](std::uint16_t shard) {
    return view.qos != 0 ? to_shard(shard) : ReplyTo{};
  };
  for (std::uint16_t shard = 0; shard < settings_.shards; ++shard) {
    if (targets_[shard].empty()) continue;
    const ReplyTo to = durable_[shard] ? to_shard(shard) : ReplyTo{};
    parts += durable_[shard] ? 1 : 0;
    output_.hops[shard].emplace_back(
        hop::PublishTo{Carried{kept}, std::move(targets_[shard]), once, to});
    targets_[shard].clear();
    durable_[shard] = false;
  }
  for (const std::size_t hit : rule_hits_) {
    const Rule& rule = rules_[hit];
    KeyTemplate::Made made = rule.key.make(view);
    const bool dead = made.note != StreamNote::none;
    if (dead) {
      made.key = Bytes{view.sender};
      made.note_text = rule.name + ": " + made.note_text;
      ++counters_.dead_letters;
    }
    const LaneId lane = cluster::lane_of(made.key);
    parts += view.qos != 0 ? 1 : 0;
    const std::uint16_t shard = settings_.shard_of_lane(lane);
    output_.hops[shard].emplace_back(
        hop::StreamAppend{lane, dead ? Bytes{dead_letter_stream} : rule.stream, std::move(made.key),
                          static_cast<std::uint8_t>(made.note), std::move(made.note_text),
                          Carried{kept}, once, durable_reply(shard)});
  }
  rule_hits_.clear();
  if (command_reply_) {
    parts += view.qos != 0 ? 1 : 0;
    const LaneId lane = cluster::lane_of(command_reply_->device);
    const std::uint16_t shard = settings_.shard_of_lane(lane);
    command_reply_->reply = durable_reply(shard);
    output_.hops[shard].emplace_back(std::move(*command_reply_));
    command_reply_.reset();
  }
  if (view.retain) {
    parts += view.qos != 0 ? 1 : 0;
    const std::uint16_t shard = shard_of_topic(view.topic);
    output_.hops[shard].emplace_back(hop::RetainedPut{Carried{kept}, durable_reply(shard)});
  }
  return parts;
}

Publisher::Outcome Publisher::publish(const MessageView& view, MessageRef kept, const Route& from,
                                      Attempt attempt, const Waiter& waiter, LiveSink& live) {
  routes_.match(view.topic, matches_);
  const bool matched = !matches_.routes.empty() || command_reply_;
  if (!matched) ++counters_.no_match;
  sort_out(view, kept, from, attempt, live);
  const bool hops = view.retain || !rule_hits_.empty() || command_reply_ ||
                    std::ranges::any_of(targets_, [](const auto& list) { return !list.empty(); });
  if (!hops) return {matched, false};
  if (!kept) kept = storage::Message::make(view);
  const ReplyTo reply{settings_.shard, base_ + open_.size(), {from.place, from.owner}, 0};
  const std::uint32_t parts = send(view, kept, attempt != Attempt::only, reply);
  if (parts == 0) return {matched, false};
  open_.push_back({waiter, parts, {}, {}, false});
  return {matched, true};
}

void Publisher::publish_later(hop::PublishLater later, const Waiter& waiter) {
  const std::uint16_t shard = settings_.shard_of_lane(later.lane);
  if (waiter.kind != Waiter::Kind::nobody) {
    const PublisherId publisher = later.session != 0
                                      ? PublisherId{later.lane, later.session}
                                      : PublisherId{settings_.shard, later.connection};
    later.reply = {settings_.shard, base_ + open_.size(), publisher, heard_.tell(publisher, shard)};
    open_.push_back({waiter, 1, {}, {}, false});
  }
  output_.hops[shard].emplace_back(std::move(later));
}

bool Publisher::admits_will(const AclSubject& subject, BytesView topic) {
  if (gate_ == nullptr || gate_->admits_will(subject, topic)) return true;
  ++counters_.denied_publishes;
  output_.denials.push_back({Denial::Kind::publish,
                             Bytes{subject.client_id},
                             Bytes{subject.user},
                             {},
                             Bytes{topic},
                             "its will may not be published any more",
                             0});
  return false;
}

Publisher::Open* Publisher::find_open(std::uint64_t number) {
  if (number < base_ || number - base_ >= open_.size()) return nullptr;
  return &open_[static_cast<std::size_t>(number - base_)];
}

void Publisher::on(const hop::Committed& committed, LiveSink& live) {
  Open* const open = find_open(committed.number);
  if (open == nullptr) return;
  if (committed.failure != 0) {
    heard_.hear(committed.publisher, committed.by, committed.failure);
    open->publisher = committed.publisher;
    open->failed_by.push_back(committed.by);
  }
  settle(*open, live);
}

void Publisher::on(const hop::Refused& refused, LiveSink& live) {
  Open* const open = find_open(refused.number);
  if (open == nullptr) return;
  open->refused = true;
  settle(*open, live);
}

void Publisher::settle(Open& open, LiveSink& live) {
  NARU_CHECK(open.parts > 0);
  if (--open.parts > 0) return;
  const Open done = std::move(open);
  for (const std::uint16_t shard : done.failed_by) heard_.pass_on(done.publisher, shard);
  while (!open_.empty() && open_.front().parts == 0) {
    open_.pop_front();
    ++base_;
  }
  if (done.waiter.kind != Waiter::Kind::nobody)
    live.on_published(done.waiter, done.refused || !done.failed_by.empty());
}

}  // namespace naru::broker
