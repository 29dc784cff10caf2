#include "broker/session/lane_commands.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "broker/mqtt/topics.hpp"
#include "broker/session/lane_parts.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/base/byte_writer.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {

constexpr std::uint8_t response_topic = 0x08;
constexpr std::uint8_t correlation_data = 0x09;

Bytes ledger_name(BytesView device, BytesView id) {
  Bytes name{device};
  name.push_back('\0');
  return name.append(id);
}

}  // namespace

// A command as its device gets it.
MessageRef LaneCommands::message_of(const CommandRow& row) {
  const Bytes topic = context_.settings.command_prefix + '/' + row.device + "/commands/" + row.id;
  nlohmann::ordered_json body;
  body["id"] = row.id;
  body["name"] = row.name;
  body["payload"] = nlohmann::json::parse(row.payload, nullptr, false);
  if (body["payload"].is_discarded()) body["payload"] = row.payload;
  body["expires_at"] = row.expires_wall;
  const Bytes payload = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  Bytes properties;
  ByteWriter writer{properties};
  writer.u8(response_topic);
  writer.block16(topic + "/reply");
  writer.u8(correlation_data);
  writer.block16(row.id);
  MessageView view;
  view.origin = publisher_.next_origin();
  view.stamp.received_at = context_.wall;
  view.expires_at = row.expires_at;
  view.qos = 1;
  view.topic = topic;
  view.properties = properties;
  view.payload = payload;
  return Message::make(view);
}

// The command as it will be once everything appended is committed.
const CommandRow* LaneCommands::latest(LaneState& lane, BytesView device, BytesView id) {
  const auto found = latest_.find(ledger_name(device, id));
  return found != latest_.end() ? &found->second.row : lane.ledger().find(device, id);
}

void LaneCommands::forget_latest(const CommandRow& row) {
  const auto found = latest_.find(ledger_name(row.device, row.id));
  if (found != latest_.end() && --found->second.in_flight == 0) latest_.erase(found);
}

void LaneCommands::put(LaneState& lane, CommandRow row, UnitDraft& unit, MessageRef message) {
  LatestCommand& latest = latest_[ledger_name(row.device, row.id)];
  latest.row = row;
  ++latest.in_flight;
  if (message) {
    Enqueued body{
        Message::encoded_of(message), {Reference{row.session, row.queue_number, 1, {}}}, false};
    unit.add(lane, std::move(body), std::move(message));
  }
  unit.add(lane, CommandPut{std::move(row)});
}

// The device's session, where it has subscribed to this command with QoS 1 or 2.
Session* LaneCommands::session_for(LaneState& lane, const CommandRow& row) {
  Client* const client = lane.find_client(row.device);
  if (client == nullptr || !client->session) return nullptr;
  const Bytes topic = context_.settings.command_prefix + '/' + row.device + "/commands/" + row.id;
  const bool subscribed = std::ranges::any_of(client->session->filters, [&](const FilterRow& f) {
    return (f.options & 3) != 0 && !mqtt::is_shared(f.filter) &&
           mqtt::filter_matches(f.filter, topic);
  });
  return subscribed ? client->session.get() : nullptr;
}

void LaneCommands::submit(const NewCommand& command, std::uint64_t request) {
  LaneState& lane = context_.led(cluster::lane_of(command.device));
  if (latest(lane, command.device, command.id) != nullptr) {
    context_.output.answered.push_back({request, false});
    return;
  }
  if (!context_.room.ledger) {
    ++context_.counters.refused_disk_full;
    context_.output.answered.push_back({request, true});
    return;
  }
  ++context_.counters.commands;
  CommandRow row;
  row.device = command.device;
  row.id = command.id;
  row.name = command.name;
  row.payload = command.payload;
  row.created_at = context_.wall;
  row.expires_wall = command.expires_wall;
  row.expires_at = command.expires_at;
  row.steps = {{CommandState::queued, context_.wall}};
  MessageRef message;
  if (Session* const session = session_for(lane, row)) {
    row.session = session->number;
    row.queue_number = session->queue.reserve();
    message = message_of(row);
  }
  UnitDraft unit{context_.units};
  put(lane, std::move(row), unit, std::move(message));
  unit.request(request);
  unit.submit(true);
}

// A command that waits in the ledger alone enters the session that has subscribed to it.
void LaneCommands::queue(LaneState& lane, const CommandRow& row) {
  const CommandRow* const now = latest(lane, row.device, row.id);
  if (now == nullptr || state_of(*now) > CommandState::sent) return;
  if (now->session != 0 && lane.find_session(now->session) != nullptr) return;
  Session* const session = session_for(lane, *now);
  if (session == nullptr) return;
  CommandRow changed = *now;
  changed.session = session->number;
  changed.queue_number = session->queue.reserve();
  UnitDraft unit{context_.units};
  MessageRef message = message_of(changed);
  put(lane, std::move(changed), unit, std::move(message));
  unit.submit(true);
}

void LaneCommands::queue_all(LaneState& lane, BytesView device) {
  for (const CommandRow* row : lane.ledger().of(device)) queue(lane, *row);
}

// A command that has ended is not for its device any more. One it may have seen keeps its packet
// id until the device answers, or comes back.
void LaneCommands::withdraw(LaneState& lane, Session& session, const CommandRow& row) {
  SessionQueue& queue = session.queue;
  const std::uint64_t number = row.queue_number;
  if (number <= queue.acked_through() || number > queue.last()) return;
  if (queue.at(number).state == SessionQueue::State::waiting) {
    queue.drop(number);
    session.commands.erase(number);
  } else if (queue.at(number).state == SessionQueue::State::sent) {
    session.commands[number] = row.id;
  }
  parts_.queues.touch(lane, session);
}

void LaneCommands::follow(LaneState& lane, const CommandRow& row) {
  const Bytes name = ledger_name(row.device, row.id);
  Session* const session = lane.find_session(row.session);
  if (has_ended(state_of(row))) {
    context_.dues.cancel(DueKind::command, lane.lane(), name);
    if (session != nullptr) withdraw(lane, *session, row);
    if (const CommandRow* const surplus = lane.ledger().surplus(row.device)) {
      UnitDraft unit{context_.units};
      unit.add(lane, CommandErased{surplus->device, surplus->id});
      unit.submit(false);
    }
    return;
  }
  context_.dues.set(DueKind::command, lane.lane(), name, row.expires_at);
  if (session != nullptr) {
    if (state_of(row) <= CommandState::sent) {
      session->commands[row.queue_number] = row.id;
      parts_.queues.touch(lane, *session);
    }
    return;
  }
  queue(lane, row);
  if (state_of(row) != CommandState::queued) return;
  const Presence* const presence = parts_.clients.find(row.device);
  if (presence != nullptr) offer(lane, row, presence->connection);
}

// To a connected client whose session is clean: its front sends it where it is subscribed.
void LaneCommands::offer(LaneState& lane, const CommandRow& row, ConnectionId connection) {
  if (row.expires_at <= context_.store_now || lane.find_session(row.session) != nullptr) return;
  // That its device has it, or that it has ended, may be on its way to the disk.
  const CommandRow* const now = latest(lane, row.device, row.id);
  if (now == nullptr || state_of(*now) > CommandState::sent) return;
  context_.to_front(connection, hop::CommandDeliver{connection, row.id, Carried{message_of(row)}});
}

void LaneCommands::on(const hop::CommandOffer& wanted) {
  LaneState& lane = context_.led(cluster::lane_of(wanted.device));
  for (const CommandRow* row : lane.ledger().of(wanted.device)) {
    if (state_of(*row) <= CommandState::sent) offer(lane, *row, wanted.connection);
  }
}

bool LaneCommands::append_step(LaneState& lane, BytesView device, BytesView id, CommandState state,
                               BytesView result, UnitDraft& unit) {
  const CommandRow* const now = latest(lane, device, id);
  if (now == nullptr || !may_follow(state_of(*now), state)) return false;
  CommandRow row = *now;
  row.steps.push_back({state, context_.wall});
  if (!result.empty()) row.result = Bytes{result};
  put(lane, std::move(row), unit, nullptr);
  return true;
}

void LaneCommands::step(LaneState& lane, BytesView device, BytesView id, CommandState state,
                        bool urgent) {
  UnitDraft unit{context_.units};
  append_step(lane, device, id, state, {}, unit);
  unit.submit(urgent);
}

void LaneCommands::due(LaneState& lane, BytesView name) {
  const std::size_t zero = name.find('\0');
  step(lane, name.substr(0, zero), name.substr(zero + 1), CommandState::expired, true);
}

void LaneCommands::committed(LaneState& lane, const CommandRow& row) {
  forget_latest(row);
  follow(lane, row);
}

void LaneCommands::failed(LaneState& lane, const CommandRow& row) {
  forget_latest(row);
  failed_.push_back({lane.lane(), row.device, row.id, state_of(row)});
}

void LaneCommands::retry() {
  for (const FailedCommand& each : std::exchange(failed_, {})) retry_one(each);
}

// What the broker itself knew of a command found no room. Who asked for the rest was told so.
void LaneCommands::retry_one(const FailedCommand& failed) {
  LaneState& lane = context_.led(failed.lane);
  const CommandRow* const row = lane.ledger().find(failed.device, failed.id);
  if (row == nullptr) return;
  const bool ours =
      failed.state <= CommandState::delivered || failed.state == CommandState::expired;
  if (ours && may_follow(state_of(*row), failed.state)) {
    return step(lane, failed.device, failed.id, failed.state, true);
  }
  follow(lane, *row);
}

void LaneCommands::on(const hop::CommandAcked& acked) {
  step(context_.led(cluster::lane_of(acked.device)), acked.device, acked.id,
       acked.sent ? CommandState::sent : CommandState::delivered, !acked.sent);
}

// What has the newest step of a command on its way to the disk; nullptr: nothing has.
PendingUnit* LaneCommands::pending_step(BytesView device, BytesView id) {
  if (!latest_.contains(ledger_name(device, id))) return nullptr;
  return context_.units.newest_with([&](const Record& record) {
    const auto* const put = std::get_if<CommandPut>(&record.body);
    return put != nullptr && put->row.device == device && put->row.id == id;
  });
}

void LaneCommands::on(hop::CommandReply& reply) {
  LaneState& lane = context_.led(cluster::lane_of(reply.device));
  UnitDraft unit{context_.units};
  append_step(lane, reply.device, reply.id, reply.state, reply.result, unit);
  unit.reply(reply.reply);
  if (unit.empty()) return unit.join(pending_step(reply.device, reply.id));
  unit.submit(true);
}

bool LaneCommands::cancel(BytesView device, BytesView id, std::uint64_t request) {
  LaneState& lane = context_.led(cluster::lane_of(device));
  UnitDraft unit{context_.units};
  if (!append_step(lane, device, id, CommandState::cancelled, {}, unit)) return false;
  unit.request(request);
  unit.submit(true);
  return true;
}

}  // namespace naru::broker
