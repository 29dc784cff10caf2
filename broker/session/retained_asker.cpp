#include "broker/session/retained_asker.hpp"

#include <algorithm>
#include <utility>

namespace naru::broker {

bool RetainedAsker::ask(hop::RetainedQuery query, const hop::Subscribed& suback) {
  if (query.filters.empty()) return true;
  if (settings_.shards == 1) {
    send(query);
    return true;
  }
  const std::uint64_t ticket = ++tickets_;
  for (std::uint16_t shard = 0; shard < settings_.shards; ++shard) {
    if (shard == settings_.shard) continue;
    output_.hops[shard].emplace_back(hop::RouteFence{settings_.shard, ticket});
  }
  waiting_.emplace(ticket, Waiting{std::move(query), suback, settings_.shards - 1u});
  return false;
}

std::optional<hop::Subscribed> RetainedAsker::on(const hop::FencePassed& passed) {
  const auto found = waiting_.find(passed.ticket);
  if (found == waiting_.end() || --found->second.shards > 0) return std::nullopt;
  send(found->second.query);
  hop::Subscribed suback = std::move(found->second.suback);
  waiting_.erase(found);
  return suback;
}

void RetainedAsker::send(const hop::RetainedQuery& query) {
  for (auto& hops : output_.hops) hops.emplace_back(query);
}

void RetainedAsker::keep(hop::RetainedRest&& rest) {
  if (rest.query.filters.empty()) return;
  rests_[rest.query.connection].push_back(std::move(rest));
}

void RetainedAsker::go_on(const Connection& c) {
  if (rests_.empty() || !c.waiting.empty() || c.output.size() > settings_.max_output / 2) return;
  const auto found = rests_.find(c.id);
  if (found == rests_.end()) return;
  hop::RetainedRest next = std::move(found->second.back());
  found->second.pop_back();
  if (found->second.empty()) rests_.erase(found);
  output_.hops[next.shard].emplace_back(std::move(next.query));
}

void RetainedAsker::forget(ConnectionId connection, BytesView filter) {
  const auto found = rests_.find(connection);
  if (found == rests_.end()) return;
  for (hop::RetainedRest& rest : found->second) {
    keep_wanted(rest.query, [&](const storage::FilterRow& row) { return row.filter != filter; });
  }
  std::erase_if(found->second,
                [](const hop::RetainedRest& rest) { return rest.query.filters.empty(); });
  if (found->second.empty()) rests_.erase(found);
}

void RetainedAsker::end(ConnectionId connection) {
  const auto found = rests_.find(connection);
  if (found == rests_.end()) return;
  for (hop::RetainedRest& rest : found->second) go_on_without(std::move(rest));
  rests_.erase(found);
}

void RetainedAsker::go_on_without(hop::RetainedRest&& rest) {
  const std::uint16_t shard = rest.shard;
  if (rest.query.session != 0) output_.hops[shard].emplace_back(std::move(rest.query));
}

hop::RetainedFound find_retained(const RetainedIndex& index, const hop::RetainedQuery& query,
                                 StoreMillis now, RetainedStep step) {
  hop::RetainedFound found;
  found.connection = query.connection;
  found.lane = query.lane;
  found.session = query.session;
  hop::RetainedQuery& next = found.rest.query;
  next = {query.connection, query.lane, query.session, {}, {}, query.until};
  if (next.until == 0) next.until = step.newest;
  RetainedIndex::Walk walk{{}, query.after, step.topics, next.until};
  for (auto row = query.filters.begin(); row != query.filters.end(); ++row) {
    walk.filter = row->filter;
    const auto room = [&] { return found.messages.size() < step.messages && step.bytes > 0; };
    if (walk.steps > 0 && room()) {
      next.after = index.walk(walk, now, [&](const storage::MessageRef& message) {
        found.messages.emplace_back(message);
        found.options.push_back(row->options);
        found.subscription_ids.push_back(row->subscription_id);
        step.bytes -= std::min(step.bytes, message->encoded().size());
        return room();
      });
      walk.after = {};
      if (next.after.empty()) continue;
    }
    next.filters.assign(row, query.filters.end());
    break;
  }
  return found;
}

}  // namespace naru::broker
