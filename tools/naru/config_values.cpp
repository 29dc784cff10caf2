// tools/naru/config_values.cpp
#include "tools/naru/config_values.hpp"

namespace naru::tools {
namespace {

Json value_of(const OptionSpec& spec, const OptionValue& value) {
  if (!spec.secret && std::holds_alternative<bool>(value)) return std::get<bool>(value);
  if (!spec.secret && spec.type == OptionType::integer) return std::get<std::int64_t>(value);
  return format_option(spec, value);
}

template <class Target>
void add_options(Json& out, const Target& target, const std::vector<OptionRow<Target>>& rows) {
  for (const auto& row : rows) {
    Json& place = out[std::string{row.spec.key}];
    const std::vector<OptionValue> values = row.get(target);
    if (row.spec.repeats) place = Json::array();
    for (const OptionValue& value : values) {
      if (row.spec.repeats) {
        place.push_back(value_of(row.spec, value));
      } else {
        place = value_of(row.spec, value);
      }
    }
  }
}

template <class Target>
Json named(const std::string& name, const Target& target,
           const std::vector<OptionRow<Target>>& rows) {
  Json out{{"name", name}};
  add_options(out, target, rows);
  return out;
}

}  // namespace

Json config_values(const broker::Config& config) {
  std::vector<OptionRow<broker::Config>> global = broker::global_options();
  const auto& own = broker::own_options();
  if (config.per_listener_settings) {
    std::erase_if(global, [&](const auto& row) { return find_option(own, row.spec.key); });
  }
  Json values{{"global", Json::object()},
              {"listeners", Json::array()},
              {"streams", Json::array()},
              {"rules", Json::array()},
              {"connections", Json::array()}};
  add_options(values["global"], config, global);
  for (const auto& one : config.listeners) {
    Json listener = named(broker::name_of(one), one, broker::listener_options());
    if (config.per_listener_settings) add_options(listener, one, own);
    values["listeners"].push_back(std::move(listener));
  }
  for (const auto& one : config.streams) {
    values["streams"].push_back(named(one.name, one, broker::stream_options()));
  }
  for (const auto& one : config.rules) {
    values["rules"].push_back(named(one.name, one, broker::rule_options()));
  }
  for (const auto& one : config.bridges) {
    values["connections"].push_back(named(one.name, one, broker::bridge_options()));
  }
  return values;
}

const char* kind_of(const broker::Problem& problem) {
  return problem.kind == broker::Problem::Kind::error ? "error" : "notice";
}

Json judgement(const std::string& file, bool good, const std::vector<broker::Problem>& problems) {
  Json list = Json::array();
  for (const broker::Problem& each : problems) {
    list.push_back({{"kind", kind_of(each)},
                    {"file", each.file},
                    {"line", each.line == 0 ? Json{} : Json(each.line)},
                    {"text", each.text}});
  }
  return {{"file", file}, {"good", good}, {"problems", list}};
}

void print_problems(const std::string& file, const std::vector<broker::Problem>& problems,
                    bool json) {
  if (json) {
    print_json(judgement(file, false, problems));
    return;
  }
  for (const broker::Problem& each : problems) print_error(to_string(each));
}

}  // namespace naru::tools
