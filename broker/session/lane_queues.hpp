// broker/session/lane_queues.hpp
//
// LaneQueues moves messages through the queues of sessions: in (what a limit lets in, under which
// number), out to the fronts of those who are connected, and acknowledgements back, which the
// session's cursor makes durable.
//
// Sans-IO. Lives on one shard. Owned by LaneParts.
// Bounded by: the limits of each session; fetches by fetch_at_once and in_flight_bytes_max.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "broker/session/lane_context.hpp"
#include "broker/session/publisher.hpp"

namespace naru::broker {

struct LaneParts;

class LaneQueues {
 public:
  LaneQueues(LaneContext& context, LaneParts& parts);

  void on(hop::PublishTo& publish, LiveSink& live);
  void on(hop::RetainedFound& found);
  void on(const hop::QueueAck& ack);
  // Messages that fetch() has asked for.
  void on_fetched(const Fetched& fetched);

  // Something of the session has changed: end_turn() sends what there is and commits its cursor.
  void touch(LaneState& lane, Session& session);
  void end_turn();
  // Asks for what the window can take from `number` on, unless it was read a moment ago.
  void fetch(LaneState& lane, Session& session, std::uint64_t number);
  // So that other sessions need not read it from the disk.
  void remember(std::uint64_t journal_number, const storage::MessageRef& message);

  // Its connection ends with this unit, and what was sent on it is not to be forgotten: a QoS 2
  // message that the client may know never expires, and is sent again with DUP.
  void save_sent(LaneState& lane, Session& session, UnitDraft& unit);
  void cursor_committed(LaneState& lane, const storage::CursorPut& record);
  // It was not written: tried again by retry().
  void cursor_failed(LaneState& lane, SessionNumber number);
  void retry();

 private:
  bool over_limit(LaneState& lane, Session& session, std::size_t size);
  bool enqueue_one(LaneState& lane, const Delivery& delivery, const storage::MessageView& view,
                   std::vector<storage::Reference>& references);
  void enqueue_lent(LaneState& lane, const Delivery& delivery, const storage::MessageView& view,
                    std::vector<storage::Reference>& references);
  void go_on(const Session& session, hop::RetainedRest rest, bool live,
             std::optional<UnitDraft>& last);
  void deliver_now(Session& session, const Carried& message, const Delivery& delivery);
  void on_pubrec(LaneState& lane, Session& session, std::uint64_t number);
  void send_releases(Session& session);
  void pump(LaneState& lane, Session& session);
  bool send_waiting(LaneState& lane, Session& session, std::uint64_t number);
  void commit_cursor(LaneState& lane, Session& session);

  LaneContext& context_;
  LaneParts& parts_;
  std::vector<std::pair<LaneId, SessionNumber>> touched_;
  std::vector<std::pair<std::uint64_t, storage::MessageRef>> recent_;  // Read back lately.
  std::vector<std::pair<LaneId, SessionNumber>> failed_cursors_;
};

}  // namespace naru::broker
