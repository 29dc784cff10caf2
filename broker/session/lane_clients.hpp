// broker/session/lane_clients.hpp
//
// LaneClients decides about clients: who is connected (one connection for each client id), which
// session they get, when sessions end and wills fire.
//
// A client with a record on its way is busy: what else is said about it waits, so that every
// decision is made on committed state.
//
// Sans-IO. Lives on one shard; not thread-safe. Owned by LaneParts.
// Bounded by: connections, sessions, and what fronts say of a client before its record is back.
#pragma once

#include <deque>
#include <memory>
#include <variant>

#include "broker/session/lane_context.hpp"
#include "broker/session/presence.hpp"
#include "broker/session/publisher.hpp"

namespace naru::broker {

struct LaneParts;

using ClientHop = std::variant<hop::Attach, hop::Detach, hop::GroupMember>;

class LaneClients {
 public:
  LaneClients(LaneContext& context, LaneParts& parts, Publisher& publisher)
      : context_(context), parts_(parts), publisher_(publisher) {}

  void on(hop::Attach& attach);
  void on(hop::Detach& detach);

  const PresenceSet& present() const { return present_; }
  const Presence* find(BytesView client_id) const;  // nullptr: it is not connected.
  // As whom its publishes count where a subscription says No Local: what the client is now, not
  // the session it published in.
  Route route_of(LaneState& lane, BytesView client_id) const;
  // It has no connection any more.
  void part(LaneState& lane, Session& session);

  bool is_busy(BytesView client_id) const { return busy_.contains(client_id); }
  void begin(const Bytes& client_id) { busy_[client_id]; }
  // REQUIRES: is_busy(), or begin() with this.
  void wait(const Bytes& client_id, ClientHop hop) { busy_[client_id].push_back(std::move(hop)); }
  // After a SessionPut or SessionErased of this client is applied, or was not written.
  void committed(LaneState& lane, const Bytes& client_id);
  void failed(LaneState& lane, const Bytes& client_id);
  void retry();

  // Its session expires, or its will is due.
  void due(DueKind kind, LaneState& lane, BytesView client_id);
  // For the API, of a client that is away; `request` is answered when it is on disk. False: it has
  // no session, or is not away.
  bool end_session(BytesView client_id, std::uint64_t request);
  // Left by the last run.
  void restart(LaneState& lane, const Bytes& client_id, Client& client);

 private:
  void settle(const Bytes& client_id);
  void go_on(ClientHop& hop);
  void attach_now(hop::Attach& attach);
  Presence& make_present(const Bytes& client_id);
  void connect_row(storage::SessionRow& row, hop::Attach& attach);
  void detach_now(hop::Detach& detach);
  void leave(Leave& left);
  void fire_will(LaneState& lane, BytesView client_id, storage::SessionRow& row, UnitDraft& unit);
  void put_row(LaneState& lane, const Bytes& client_id, storage::SessionRow row,
               SessionNumber replaced, UnitDraft& unit);
  void erase(LaneState& lane, BytesView client_id, const Client& client, UnitDraft& unit);
  void set_dues(LaneState& lane, BytesView client_id, const storage::SessionRow& row);

  LaneContext& context_;
  LaneParts& parts_;
  Publisher& publisher_;
  PresenceSet present_;
  TextMap<std::deque<ClientHop>> busy_;  // Who has a record on its way, and what waits for it.
  TextMap<Leave> leaving_;               // Until it is on disk.
  std::uint64_t epochs_ = 0;
};

}  // namespace naru::broker
