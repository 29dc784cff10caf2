// /v1/retained: the retained messages of topics that match a filter, and how they are cleared.
//
// A shard's topics are in order, so a page goes on where the last one ended. It ends early where
// many topics were looked at and few matched: then it has fewer than `limit`, and a next.

#include <algorithm>

#include <nlohmann/json.hpp>

#include "broker/http/ask.hpp"
#include "broker/http/routes.hpp"
#include "broker/mqtt/topics.hpp"
#include "broker/session/shard_core.hpp"

namespace naru::broker {

namespace {

constexpr std::size_t topics_a_step = 10'000;

struct RetainedFacts {
  Bytes topic;
  std::uint64_t payload_bytes = 0;
  std::uint8_t qos = 0;
  Bytes sender;
  WallMillis received_at = 0;
  StoreMillis expires_at = 0;  // 0: never.
};

// What one shard has of a page, in order; it is complete up to `through`, or wholly when empty.
struct RetainedPart {
  std::vector<RetainedFacts> messages;
  Bytes through;
};

struct RetainedQuery {
  Bytes filter;
  Bytes after;
  std::size_t limit = 100;
};

RetainedPart part_of(ShardCore& core, const RetainedQuery& query, StoreMillis now) {
  RetainedPart part;
  RetainedIndex::Walk walk{query.filter, query.after, topics_a_step};
  part.through = core.lanes().retained().walk(walk, now, [&](const storage::MessageRef& message) {
    const storage::MessageView& view = message->view();
    part.messages.push_back({Bytes{view.topic}, view.payload.size(), view.qos, Bytes{view.sender},
                             view.stamp.received_at, view.expires_at});
    return part.messages.size() < query.limit;
  });
  return part;
}

struct RetainedPage {
  std::vector<RetainedFacts> messages;
  Bytes next;  // Empty: this was the last.
};

// Ordered as a whole: nothing behind the place to which every shard's part is complete.
RetainedPage merge(std::vector<RetainedPart> parts, std::size_t limit) {
  RetainedPage page;
  for (RetainedPart& part : parts) {
    std::ranges::move(part.messages, std::back_inserter(page.messages));
    if (part.through.empty()) continue;
    page.next = page.next.empty() ? part.through : std::min(page.next, part.through);
  }
  std::ranges::sort(page.messages, {}, &RetainedFacts::topic);
  if (!page.next.empty()) {
    std::erase_if(page.messages, [&](const RetainedFacts& each) { return each.topic > page.next; });
  }
  if (page.messages.size() > limit) {
    page.messages.resize(limit);
    page.next = page.messages.back().topic;
  }
  return page;
}

Result<RetainedQuery> read_query(const Query& query) {
  RetainedQuery asked;
  const auto limit = number_parameter(query, "limit", {1, 1000, 100});
  if (!limit) return limit.error();
  asked.limit = static_cast<std::size_t>(*limit);
  asked.after = text_parameter(query, "after");
  asked.filter = text_parameter(query, "filter");
  if (asked.filter.empty()) asked.filter.push_back('#');
  if (!mqtt::valid_filter(asked.filter)) {
    return Error{Errc::invalid, "'" + asked.filter +
                                    "' is no topic filter; + stands for one level, # for the rest"};
  }
  return asked;
}

awaitable<RetainedPage> ask_page(Control* control, RetainedQuery query) {
  const StoreMillis now = control->store_now();
  Question<RetainedPart> question = [query, now](ShardCore& core) {
    return part_of(core, query, now);
  };
  auto asking = ask_all<RetainedPart>(control, std::move(question));
  std::vector<RetainedPart> parts = co_await std::move(asking);
  co_return merge(std::move(parts), query.limit);
}

// Clears the topics of one shard and comes back when that is on disk. Each topic is looked up
// again: one that was published anew meanwhile is cleared as well, as by an empty publish.
awaitable<bool> clear_on(Control* control, std::uint16_t shard,
                         std::shared_ptr<const std::vector<Bytes>> topics) {
  std::function<bool(ShardCore&, std::uint64_t)> f = [topics](ShardCore& core,
                                                              std::uint64_t request) {
    return core.lanes().clear_retained(*topics, request);
  };
  auto committing = control->commit(shard, std::move(f));
  const bool committed = co_await std::move(committing);
  co_return committed;
}

Json retained_json(const RetainedFacts& facts, Control& control) {
  Json json;
  json["topic"] = facts.topic;
  json["payload_bytes"] = facts.payload_bytes;
  json["qos"] = facts.qos;
  json["client_id"] = facts.sender.empty() ? Json(nullptr) : Json(facts.sender);
  json["received_at"] = facts.received_at;
  json["expires_at"] = nullptr;
  if (facts.expires_at != 0) {
    json["expires_at"] = control.wall() + (facts.expires_at - control.store_now());
  }
  return json;
}

Json page_json(const RetainedPage& page, Control& control) {
  Json body;
  Json& list = body["retained"] = Json::array();
  for (const RetainedFacts& each : page.messages) list.push_back(retained_json(each, control));
  body["next"] = page.next.empty() ? Json(nullptr) : Json(page.next);
  return body;
}

}  // namespace

// GET /v1/retained?filter=F&limit=N&after=TOPIC
Answer list_retained(Call call) {
  const auto query = read_query(call.request.query);
  if (!query) co_return refuse(query.error());
  auto asking = ask_page(call.control, *query);
  const RetainedPage page = co_await std::move(asking);
  co_return reply(page_json(page, *call.control));
}

// DELETE /v1/retained?filter=F&limit=N&after=TOPIC: one page of them; answers as GET does.
Answer clear_retained(Call call) {
  if (!call.request.query.contains("filter")) {
    co_return refuse(400, "say which: filter=F; '#' clears every topic that does not begin with $");
  }
  const auto query = read_query(call.request.query);
  if (!query) co_return refuse(query.error());
  auto asking = ask_page(call.control, *query);
  const RetainedPage page = co_await std::move(asking);
  std::vector<std::vector<Bytes>> by_shard(call.control->shards());
  for (const RetainedFacts& each : page.messages) {
    by_shard[call.control->shard_of(each.topic)].push_back(each.topic);
  }
  for (std::uint16_t shard = 0; shard < by_shard.size(); ++shard) {
    if (by_shard[shard].empty()) continue;
    const auto topics = std::make_shared<const std::vector<Bytes>>(std::move(by_shard[shard]));
    auto clearing = clear_on(call.control, shard, topics);
    const bool cleared = co_await std::move(clearing);
    if (!cleared) co_return refuse(507, "the disk took only a part of it; free some room on it");
  }
  co_return reply(page_json(page, *call.control));
}

}  // namespace naru::broker
