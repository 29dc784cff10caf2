#include "broker/session/retained_asker.hpp"

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

hop::RetainedFound find_retained(const RetainedIndex& index, const hop::RetainedQuery& query,
                                 StoreMillis now) {
  hop::RetainedFound found{query.connection, query.lane, query.session, {}, {}, {}};
  for (const storage::FilterRow& row : query.filters) {
    index.match(row.filter, now, [&](const storage::MessageRef& message) {
      found.messages.emplace_back(message);
      found.options.push_back(row.options);
      found.subscription_ids.push_back(row.subscription_id);
    });
  }
  return found;
}

}  // namespace naru::broker
