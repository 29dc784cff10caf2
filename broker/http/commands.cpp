// /v1/devices/DEVICE/commands: what is asked of devices, and what became of it.

#include <random>

#include <nlohmann/json.hpp>

#include "broker/http/ask.hpp"
#include "broker/http/command_request.hpp"
#include "broker/http/routes.hpp"
#include "broker/session/shard_core.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::broker {

namespace {

using MaybeCommand = std::optional<CommandRow>;

// Of this device, on its lane's shard.
Ledger& ledger_of(ShardCore& core, BytesView device) {
  return core.lanes().lane(cluster::lane_of(device)).ledger();
}

MaybeCommand copy_command(ShardCore& core, BytesView device, BytesView id) {
  const CommandRow* const row = ledger_of(core, device).find(device, id);
  return row != nullptr ? MaybeCommand{*row} : std::nullopt;
}

awaitable<MaybeCommand> ask_command(Control* control, Bytes device, Bytes id) {
  const std::uint16_t shard = control->shard_of(device);
  Question<MaybeCommand> question = [device, id](ShardCore& core) {
    return copy_command(core, device, id);
  };
  auto asking = ask<MaybeCommand>(control, shard, std::move(question));
  MaybeCommand command = co_await std::move(asking);
  co_return command;
}

Bytes new_command_id() {
  std::random_device random;
  Bytes id;
  for (int i = 0; i < 4; ++i) {
    char part[9];
    std::snprintf(part, sizeof part, "%08x", random());
    id += part;
  }
  return id;
}

HttpResponse no_such_command(BytesView device, BytesView id) {
  return refuse(404, "device '" + Bytes{device} + "' has no command '" + Bytes{id} + "'");
}

// For an id that was there before: the command as it stands, unless this is not a repetition of it.
HttpResponse answer_again(const CommandRow& row, const CommandRequest& wanted) {
  if (row.name == wanted.name && row.payload == wanted.payload) {
    return reply(command_json(row), 200);
  }
  return refuse(409, "the id '" + row.id + "' is that of another command, '" + row.name +
                         "' with " + row.payload.substr(0, 200) +
                         "; a new command needs an id of its own");
}

// Puts it into the ledger; resumes when it is on disk. False: the store did not take it. `known`
// is set where a command of this id was there before; then nothing is changed.
awaitable<bool> submit(Control* control, NewCommand command, std::shared_ptr<MaybeCommand> known) {
  const std::uint16_t shard = control->shard_of(command.device);
  std::function<bool(ShardCore&, std::uint64_t)> run = [command, known](ShardCore& core,
                                                                        std::uint64_t request) {
    *known = copy_command(core, command.device, command.id);
    if (*known) return false;
    core.lanes().submit(command, request);
    return true;
  };
  auto committing = control->commit(shard, std::move(run));
  const bool committed = co_await std::move(committing);
  co_return committed;
}

// For a request whose id another one has on its way to the disk at this moment.
awaitable<MaybeCommand> await_command(Control* control, Bytes device, Bytes id, Patience patience) {
  MaybeCommand command;
  while (!command && !patience.over()) {
    auto pausing = Patience::pause();
    co_await std::move(pausing);
    auto asking = ask_command(control, device, id);
    command = co_await std::move(asking);
  }
  co_return command;
}

NewCommand new_command(const Control& control, BytesView device, const CommandRequest& wanted) {
  NewCommand command;
  command.device = Bytes{device};
  command.id = wanted.id.empty() ? new_command_id() : wanted.id;
  command.name = wanted.name;
  command.payload = wanted.payload;
  command.expires_wall = control.wall() + wanted.expires_s * 1000;
  command.expires_at = control.store_now() + wanted.expires_s * 1000;
  return command;
}

}  // namespace

// POST /v1/devices/DEVICE/commands
Answer post_command(Call call) {
  const Bytes device = call.request.path[2];
  if (const auto checked = check_device(device); !checked) co_return refuse(checked.error());
  const auto wanted = parse_command(call.request.body);
  if (!wanted) co_return refuse(wanted.error());
  const NewCommand command = new_command(*call.control, device, *wanted);
  auto known = std::make_shared<MaybeCommand>();
  auto submitting = submit(call.control, command, known);
  const bool committed = co_await std::move(submitting);
  if (!committed) co_return not_committed();
  if (*known) co_return answer_again(**known, *wanted);
  auto asking = ask_command(call.control, device, command.id);
  MaybeCommand row = co_await std::move(asking);
  if (row) co_return reply(command_json(*row), 201);
  Patience patience{call.request, wait_seconds_max};
  auto waiting = await_command(call.control, device, command.id, patience);
  row = co_await std::move(waiting);
  co_return row ? answer_again(*row, *wanted) : not_committed();
}

// GET /v1/devices/DEVICE/commands/ID?wait=S&version=V
Answer get_command(Call call) {
  const Bytes device = call.request.path[2];
  const Bytes id = call.request.path[4];
  const auto wait = number_parameter(call.request.query, "wait", {0, wait_seconds_max, 0});
  if (!wait) co_return refuse(wait.error());
  const auto version = number_parameter(call.request.query, "version", {0, 1'000'000, 0});
  if (!version) co_return refuse(version.error());
  const bool any_change = !call.request.query.contains("version");
  Patience patience{call.request, *wait};
  std::size_t seen = static_cast<std::size_t>(*version);
  for (bool first = true;; first = false) {
    auto asking = ask_command(call.control, device, id);
    const MaybeCommand row = co_await std::move(asking);
    if (!row) co_return no_such_command(device, id);
    // Without a version the wait is for whatever comes next.
    if (first && any_change) seen = row->steps.size();
    // Behind an end nothing follows.
    const bool news = row->steps.size() > seen || has_ended(state_of(*row));
    if (news || patience.over()) co_return reply(command_json(*row));
    auto pausing = Patience::pause();
    co_await std::move(pausing);
  }
}

// GET /v1/devices/DEVICE/commands
Answer list_commands(Call call) {
  const Bytes device = call.request.path[2];
  Question<std::vector<CommandRow>> question = [device](ShardCore& core) {
    std::vector<CommandRow> rows;
    for (const CommandRow* row : ledger_of(core, device).of(device)) rows.push_back(*row);
    return rows;
  };
  auto asking = ask<std::vector<CommandRow>>(call.control, call.control->shard_of(device),
                                             std::move(question));
  const std::vector<CommandRow> rows = co_await std::move(asking);
  Json body;
  Json& list = body["commands"] = Json::array();
  for (const CommandRow& row : rows) list.push_back(command_json(row));
  co_return reply(body);
}

// DELETE /v1/devices/DEVICE/commands/ID
Answer cancel_command(Call call) {
  const Bytes device = call.request.path[2];
  const Bytes id = call.request.path[4];
  auto cancelled = std::make_shared<bool>(false);
  std::function<bool(ShardCore&, std::uint64_t)> cancel =
      [device, id, cancelled](ShardCore& core, std::uint64_t request) {
        *cancelled = core.lanes().cancel(device, id, request);
        return *cancelled;
      };
  auto committing = call.control->commit(call.control->shard_of(device), std::move(cancel));
  const bool committed = co_await std::move(committing);
  if (!committed) co_return not_committed();
  auto asking = ask_command(call.control, device, id);
  const MaybeCommand row = co_await std::move(asking);
  if (!row) co_return no_such_command(device, id);
  if (!*cancelled) {
    co_return refuse(409, "command '" + id + "' cannot be cancelled, it is " +
                              Bytes{name(state_of(*row))} + "; send another command instead");
  }
  co_return reply(command_json(*row));
}

}  // namespace naru::broker
