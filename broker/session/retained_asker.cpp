#include "broker/session/retained_asker.hpp"

namespace naru::broker {

void RetainedAsker::ask(hop::RetainedQuery query) {
  if (query.filters.empty()) return;
  if (settings_.shards == 1) return send(query);
  const std::uint64_t ticket = ++tickets_;
  for (std::uint16_t shard = 0; shard < settings_.shards; ++shard) {
    if (shard == settings_.shard) continue;
    output_.hops[shard].emplace_back(hop::RouteFence{settings_.shard, ticket});
  }
  waiting_.emplace(ticket, Waiting{std::move(query), settings_.shards - 1u});
}

void RetainedAsker::on(const hop::FencePassed& passed) {
  const auto found = waiting_.find(passed.ticket);
  if (found == waiting_.end() || --found->second.shards > 0) return;
  send(found->second.query);
  waiting_.erase(found);
}

void RetainedAsker::send(const hop::RetainedQuery& query) {
  for (auto& hops : output_.hops) hops.emplace_back(query);
}

}  // namespace naru::broker
