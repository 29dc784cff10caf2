// broker/session/lane_retained.hpp
//
// LaneRetained keeps the retained messages of the topics that hash to this shard.
//
// A retained message is visible to new subscribers as soon as it is numbered, before it is on
// disk: a subscriber that came too late for the live message must not get an older one. What
// PUBACK promises still waits for the commit.
//
// Sans-IO. Lives on one shard. Owned by LaneParts.
// Bounded by: one message for each topic, on what the disk has room for.
#pragma once

#include <set>
#include <vector>

#include "broker/routing/retained_index.hpp"
#include "broker/session/lane_context.hpp"

namespace naru::broker {

class LaneRetained {
 public:
  explicit LaneRetained(LaneContext& context) : context_(context) {}

  void on(hop::RetainedPut& put);
  void on(const hop::RetainedQuery& query);
  // For the API; `request` is answered when it is on disk. False: none of these topics has one.
  bool clear(const std::vector<Bytes>& topics, std::uint64_t request);
  void load(BytesView topic, std::uint64_t version, storage::MessageRef message);
  void expire();
  // It was not written: what readers have seen is tried again by retry(), so that a start finds it.
  void failed(Bytes topic) { failed_.insert(std::move(topic)); }
  void retry();
  const RetainedIndex& index() const { return index_; }

 private:
  void store(BytesView topic, const storage::MessageRef& message, ReplyTo reply);

  std::uint64_t newest() const {
    return std::uint64_t{context_.settings.incarnation} << 40 | versions_;
  }

  LaneContext& context_;
  RetainedIndex index_;
  std::uint64_t versions_ = 0;
  std::set<Bytes> failed_;
};

}  // namespace naru::broker
