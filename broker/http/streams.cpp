// /v1/streams: what streams hold, their records, and how far consumers have come.

#include <algorithm>

#include <nlohmann/json.hpp>

#include "broker/http/ask.hpp"
#include "broker/http/lane_tally.hpp"
#include "broker/http/routes.hpp"
#include "broker/http/stream_page.hpp"
#include "broker/http/stream_totals.hpp"
#include "broker/mqtt/topics.hpp"
#include "broker/session/shard_core.hpp"

namespace naru::broker {

namespace {

constexpr std::uint64_t page_records_max = 10'000;
constexpr std::size_t consumer_name_max = 256;

struct ShardSpan {
  LaneId lane = 0;
  LaneSpan span;
};

std::vector<ShardSpan> spans_on(ShardCore& core, BytesView stream, WallMillis since) {
  std::vector<ShardSpan> spans;
  core.lanes().each_lane([&](const LaneState& lane) {
    const auto found = lane.streams().find(stream);
    if (found == lane.streams().end()) return;
    const StreamLane& log = found->second;
    spans.push_back({lane.lane(), {log.first(), log.end(), log.seek(since)}});
  });
  return spans;
}

awaitable<StreamSpans> ask_spans(Control* control, Bytes stream, WallMillis since) {
  Question<std::vector<ShardSpan>> question = [stream, since](ShardCore& core) {
    return spans_on(core, stream, since);
  };
  auto asking = ask_all<std::vector<ShardSpan>>(control, std::move(question));
  const std::vector<std::vector<ShardSpan>> parts = co_await std::move(asking);
  StreamSpans spans{};
  for (const auto& part : parts) {
    for (const ShardSpan& each : part) spans[each.lane] = each.span;
  }
  co_return spans;
}

HttpResponse no_such_stream(BytesView stream) {
  return refuse(404, "there is no stream '" + Bytes{stream} + "'");
}

// Configured, or with records of an earlier configuration.
bool exists(const Control& control, BytesView stream, const StreamSpans& spans) {
  const bool has_records =
      std::ranges::any_of(spans, [](const LaneSpan& span) { return span.end > 1; });
  if (has_records) return true;
  const auto known = all_streams(control.facts(), {});
  return std::ranges::find(known, stream, &NodeFacts::Stream::name) != known.end();
}

// ---- where reading begins ----------------------------------------------------------------------

struct Start {
  enum class Kind { earliest, latest, time, cursor };
  Kind kind = Kind::earliest;
  WallMillis since = 0;  // time
  StreamCursor cursor;   // cursor
};

Result<Start> parse_start(BytesView stream, BytesView from) {
  if (from == "earliest") return Start{};
  if (from == "latest") return Start{Start::Kind::latest, 0, {}};
  if (const auto since = parse_number(from)) return Start{Start::Kind::time, *since, {}};
  const auto cursor = decode_cursor(stream, from);
  if (!cursor) return cursor.error();
  return Start{Start::Kind::cursor, 0, *cursor};
}

StreamCursor begin_at(const Start& start, const StreamSpans& spans) {
  if (start.kind == Start::Kind::cursor) return clamp(start.cursor, spans);
  StreamCursor cursor;
  for (std::size_t lane = 0; lane < spans.size(); ++lane) {
    const LaneSpan& span = spans[lane];
    cursor.next[lane] = start.kind == Start::Kind::latest ? span.end
                        : start.kind == Start::Kind::time ? span.since
                                                          : span.first;
  }
  return cursor;
}

// What the consumer has committed; empty: nothing yet.
awaitable<Bytes> ask_committed(Control* control, Bytes stream, Bytes consumer) {
  Question<Bytes> question = [stream, consumer](ShardCore& core) {
    const LaneState& lane = core.lanes().lane(cluster::lane_of(consumer));
    const Bytes* const token = lane.consumer(stream, consumer);
    return token != nullptr ? *token : Bytes{};
  };
  auto asking = ask<Bytes>(control, control->shard_of(consumer), std::move(question));
  Bytes token = co_await std::move(asking);
  co_return token;
}

Bytes page_json(BytesView stream, const Page& page) {
  Bytes text = "{\"records\":[";
  for (std::size_t i = 0; i < page.records.size(); ++i) {
    if (i != 0) text.push_back(',');
    text += page.records[i];
  }
  text += "],\"cursor\":\"" + encode_cursor(stream, page.next) + "\",\"more\":";
  return text + (page.more ? "true}" : "false}");
}

awaitable<Page> ask_page(Control* control, PageRequest request) {
  std::function<Page(const storage::KvStore&)> question =
      [request = std::move(request)](const storage::KvStore& store) {
        return read_page(store, request);
      };
  auto reading = ask_store<Page>(control, std::move(question));
  Page page = co_await std::move(reading);
  co_return page;
}

// Reads on from request.from until there are records, nothing more, or no patience.
awaitable<Page> await_page(Control* control, PageRequest request, Patience patience) {
  Page page;
  page.next = request.from;
  while (true) {
    page.more = false;
    if (records_behind(request.from, request.spans) != 0) {
      auto reading = ask_page(control, request);
      page = co_await std::move(reading);
      request.from = page.next;
      if (!page.records.empty() || page.failure) break;
    }
    if (page.more ? patience.abandoned() : patience.over()) break;
    if (!page.more) {
      auto pausing = Patience::pause();
      co_await std::move(pausing);
    }
    auto asking = ask_spans(control, request.stream, 0);
    request.spans = co_await std::move(asking);
    request.from = clamp(request.from, request.spans);
  }
  co_return page;
}

bool is_consumer_name(BytesView name) {
  return !name.empty() && name.size() <= consumer_name_max && mqtt::valid_utf8(name);
}

HttpResponse bad_consumer_name() {
  return refuse(400, "a consumer's name must have 1 to " + std::to_string(consumer_name_max) +
                         " bytes of UTF-8");
}

std::vector<std::pair<Bytes, Bytes>> consumers_on(ShardCore& core, BytesView stream) {
  const Bytes prefix = Bytes{stream} + '\0';
  std::vector<std::pair<Bytes, Bytes>> consumers;
  core.lanes().each_lane([&](const LaneState& lane) {
    for (const auto& [name, token] : lane.consumers()) {
      if (name.starts_with(prefix)) consumers.emplace_back(name.substr(prefix.size()), token);
    }
  });
  return consumers;
}

}  // namespace

// GET /v1/streams
Answer list_streams(Call call) {
  auto counting = tally_lanes(call.control);
  const LaneTally lanes = co_await std::move(counting);
  const StreamTotalsByName& totals = lanes.streams;
  Json body;
  Json& list = body["streams"] = Json::array();
  for (const NodeFacts::Stream& stream : all_streams(call.control->facts(), totals)) {
    Json json = stream_json(stream.name, totals);
    json["retention_s"] = stream.retention_s;
    list.push_back(std::move(json));
  }
  co_return reply(body);
}

// GET /v1/streams/NAME/records?from=F&limit=N&wait=S&consumer=C
Answer read_records(Call call) {
  PageRequest request;
  request.stream = call.request.path[2];
  const Query query = std::move(call.request.query);
  const auto limit = number_parameter(query, "limit", {1, page_records_max, 100});
  if (!limit) co_return refuse(limit.error());
  const auto wait = number_parameter(query, "wait", {0, wait_seconds_max, 0});
  if (!wait) co_return refuse(wait.error());
  Bytes from = text_parameter(query, "from");
  const Bytes consumer = text_parameter(query, "consumer");
  if (!consumer.empty() && !is_consumer_name(consumer)) co_return bad_consumer_name();
  if (from.empty() && !consumer.empty()) {
    auto asking = ask_committed(call.control, request.stream, consumer);
    from = co_await std::move(asking);
  }
  if (from.empty()) from = "earliest";
  auto spans = ask_spans(call.control, request.stream, parse_number(from).value_or(0));
  request.spans = co_await std::move(spans);
  if (!exists(*call.control, request.stream, request.spans)) {
    co_return no_such_stream(request.stream);
  }
  const auto start = parse_start(request.stream, from);
  if (!start) co_return refuse(start.error());
  request.since = start->since;
  request.limit = static_cast<std::size_t>(*limit);
  request.from = begin_at(*start, request.spans);
  const Bytes stream = request.stream;
  Patience patience{call.request, *wait};
  auto reading = await_page(call.control, std::move(request), patience);
  const Page page = co_await std::move(reading);
  if (page.failure) co_return refuse(*page.failure);
  co_return HttpResponse{200, page_json(stream, page), {}};
}

// PUT /v1/streams/NAME/consumers/C
Answer put_consumer(Call call) {
  const Bytes stream = call.request.path[2];
  const Bytes consumer = call.request.path[4];
  if (!is_consumer_name(consumer)) co_return bad_consumer_name();
  const auto body = parse_json(call.request.body);
  const bool has_cursor =
      body && body->is_object() && body->contains("cursor") && body->at("cursor").is_string();
  if (!has_cursor) co_return refuse(400, R"(the body must be a JSON object: {"cursor":"TOKEN"})");
  const Bytes token = body->at("cursor").get<Bytes>();
  auto asking = ask_spans(call.control, stream, 0);
  const StreamSpans spans = co_await std::move(asking);
  if (!exists(*call.control, stream, spans)) co_return no_such_stream(stream);
  const auto cursor = decode_cursor(stream, token);
  if (!cursor) co_return refuse(cursor.error());
  std::function<bool(ShardCore&, std::uint64_t)> put = [=](ShardCore& core, std::uint64_t request) {
    core.lanes().put_consumer(stream, consumer, token, request);
    return true;
  };
  auto committing = call.control->commit(call.control->shard_of(consumer), std::move(put));
  const bool committed = co_await std::move(committing);
  if (!committed) {
    co_return refuse(503,
                     "the store did not take the position; try again when its problem is "
                     "solved");
  }
  Json answer;
  answer["name"] = consumer;
  answer["cursor"] = token;
  answer["lag"] = records_behind(*cursor, spans);
  co_return reply(answer);
}

// GET /v1/streams/NAME/consumers
Answer list_consumers(Call call) {
  const Bytes stream = call.request.path[2];
  auto asking = ask_spans(call.control, stream, 0);
  const StreamSpans spans = co_await std::move(asking);
  if (!exists(*call.control, stream, spans)) co_return no_such_stream(stream);
  using Consumers = std::vector<std::pair<Bytes, Bytes>>;
  Question<Consumers> question = [stream](ShardCore& core) { return consumers_on(core, stream); };
  auto listing = ask_all<Consumers>(call.control, std::move(question));
  const std::vector<Consumers> parts = co_await std::move(listing);
  Consumers consumers;
  for (const Consumers& part : parts) std::ranges::copy(part, std::back_inserter(consumers));
  std::ranges::sort(consumers);
  Json body;
  Json& list = body["consumers"] = Json::array();
  for (const auto& [name, token] : consumers) {
    const auto cursor = decode_cursor(stream, token);
    Json& json = list.emplace_back();
    json["name"] = name;
    json["cursor"] = token;
    json["lag"] = records_behind(cursor ? *cursor : StreamCursor{}, spans);
  }
  co_return reply(body);
}

}  // namespace naru::broker
