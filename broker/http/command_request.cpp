#include "broker/http/command_request.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "broker/command/ledger.hpp"
#include "broker/mqtt/topics.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

bool fits_one_level(BytesView text, std::size_t most) {
  return !text.empty() && text.size() <= most && mqtt::valid_utf8(text) &&
         text.find_first_of("/+#") == BytesView::npos;
}

constexpr std::array<std::string_view, 4> command_members = {"name", "payload", "expires_s", "id"};

Error invalid(Bytes text) { return {Errc::invalid, std::move(text)}; }

}  // namespace

Result<void> check_device(BytesView device) {
  if (fits_one_level(device, limits::client_id_bytes)) return {};
  return invalid("'" + Bytes{device.substr(0, 80)} +
                 "' cannot be a device: commands go to client " + "ids of 1 to " +
                 std::to_string(limits::client_id_bytes) +
                 " bytes of UTF-8 without '/', '+' and '#'");
}

Result<void> check_command_id(BytesView id) {
  if (fits_one_level(id, command_id_max)) return {};
  return invalid("id must be 1 to " + std::to_string(command_id_max) +
                 " bytes of UTF-8 without '/', '+' and '#'; or leave it out");
}

Result<CommandRequest> parse_command(BytesView body) {
  const auto json = parse_json(body);
  if (!json || !json->is_object()) {
    return invalid("the body must be a JSON object, nested at most " +
                   std::to_string(json_depth_max) + R"( levels, such as {"name":"unlock"})");
  }
  for (const auto& [member, value] : json->items()) {
    if (std::ranges::find(command_members, member) == command_members.end()) {
      return invalid("a command has no member '" + member.substr(0, 80) +
                     "'; it has name, payload, expires_s and id");
    }
  }
  CommandRequest command;
  const auto name = json->find("name");
  if (name != json->end() && name->is_string()) command.name = name->get<Bytes>();
  if (command.name.empty() || command.name.size() > command_name_max) {
    return invalid("name must be a text of 1 to " + std::to_string(command_name_max) + " bytes");
  }
  const auto payload = json->find("payload");
  command.payload = payload != json->end() ? dump(*payload) : "null";
  const auto expires = json->find("expires_s");
  if (expires != json->end()) {
    if (expires->is_number_unsigned()) command.expires_s = expires->get<std::uint64_t>();
    if (!expires->is_number_unsigned() || command.expires_s == 0 ||
        command.expires_s > command_expiry_s_max) {
      return invalid("expires_s must be a whole number of seconds from 1 to " +
                     std::to_string(command_expiry_s_max));
    }
  }
  const auto id = json->find("id");
  if (id != json->end() && !id->is_null()) {
    if (id->is_string()) command.id = id->get<Bytes>();
    if (const auto checked = check_command_id(command.id); !checked) return checked.error();
  }
  return command;
}

Json command_json(const storage::CommandRow& row) {
  // Devices choose what their result is; what is no JSON for us is told as text.
  const auto value_of = [](const Bytes& text) {
    if (text.empty()) return Json(nullptr);
    auto value = parse_json(text);
    return value ? std::move(*value) : Json(text);
  };
  Json json;
  json["id"] = row.id;
  json["device"] = row.device;
  json["name"] = row.name;
  json["payload"] = value_of(row.payload);
  json["state"] = name(state_of(row));
  json["version"] = row.steps.size();
  json["created_at"] = row.created_at;
  json["expires_at"] = row.expires_wall;
  Json& states = json["states"] = Json::array();
  for (const storage::CommandStep& step : row.steps) {
    Json& state = states.emplace_back();
    state["state"] = name(step.state);
    state["at"] = step.at;
  }
  json["result"] = value_of(row.result);
  return json;
}

}  // namespace naru::broker
