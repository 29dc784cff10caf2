// /v1/store: what the store holds, and copies of it.

#include <nlohmann/json.hpp>

#include "broker/http/control.hpp"
#include "broker/http/routes.hpp"
#include "storage/base/log.hpp"

namespace naru::broker {

namespace {

Json store_json(const StoreFacts& facts) {
  Json json;
  json["directory"] = facts.directory;
  json["format"] = facts.format;
  json["starts"] = facts.incarnation;
  Json& families = json["families"] = Json::array();
  for (const StoreFacts::Part& each : facts.families) {
    Json& family = families.emplace_back();
    family["name"] = each.name;
    family["rows"] = each.rows;
    family["bytes"] = each.bytes;
  }
  json["log_bytes"] = facts.log_bytes;
  json["buffer_bytes"] = facts.buffer_bytes;
  json["free_bytes"] = facts.free_bytes;
  json["write_rate_max"] = facts.write_rate_max;
  json["writes_stopped"] = facts.writes_stopped;
  const bool empty = facts.journal_first == 0;
  json["journal"]["first"] = empty ? Json(nullptr) : Json(facts.journal_first);
  json["journal"]["last"] = empty ? Json(nullptr) : Json(facts.journal_next - 1);
  return json;
}

}  // namespace

// GET /v1/store
Answer get_store(Call call) {
  auto asking = call.control->store_facts();
  const StoreFacts facts = co_await std::move(asking);
  co_return reply(store_json(facts));
}

// POST /v1/store/backup {"directory": "/absolute/path"}
Answer post_backup(Call call) {
  const auto body = parse_json(call.request.body);
  if (!body || !body->is_object() || !body->contains("directory") ||
      !(*body)["directory"].is_string()) {
    co_return refuse(400, "the body must be {\"directory\": \"/absolute/path\"}");
  }
  auto taking = call.control->backup((*body)["directory"].get<std::string>());
  const Result<BackupTold> told = co_await std::move(taking);
  if (!told) {
    log(Severity::error, "backup_failed", {{"reason", told.error().text}});
    co_return refuse(told.error());
  }
  log(Severity::notice, "backup_taken", {{"directory", told->directory}, {"bytes", told->bytes}});
  Json json;
  json["directory"] = told->directory;
  json["taken_at"] = told->taken_at;
  json["files"] = told->files;
  json["bytes"] = told->bytes;
  co_return reply(json, 201);
}

}  // namespace naru::broker
