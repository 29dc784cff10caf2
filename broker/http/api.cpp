#include "broker/http/api.hpp"

#include <algorithm>
#include <array>

namespace naru::broker {

namespace {

struct RouteRow {
  BytesView method;
  BytesView pattern;  // '*' stands for one segment that is not empty.
  Answer (*route)(Call);
};

// clang-format off
constexpr auto rows = std::to_array<RouteRow>({
  {"GET",    "v1/status",                  get_status},
  {"GET",    "v1/health/live",             get_live},
  {"GET",    "v1/health/ready",            get_ready},
  {"GET",    "v1/metrics",                 get_metrics},
  {"GET",    "v1/clients",                 list_clients},
  {"GET",    "v1/clients/*",               get_client},
  {"DELETE", "v1/clients/*/connection",    kick_client},
  {"DELETE", "v1/clients/*/session",       end_session},
  {"GET",    "v1/subscriptions",           list_subscriptions},
  {"GET",    "v1/retained",                list_retained},
  {"DELETE", "v1/retained",                clear_retained},
  {"GET",    "v1/store",                   get_store},
  {"POST",   "v1/store/backup",            post_backup},
  {"POST",   "v1/devices/*/commands",      post_command},
  {"GET",    "v1/devices/*/commands",      list_commands},
  {"GET",    "v1/devices/*/commands/*",    get_command},
  {"DELETE", "v1/devices/*/commands/*",    cancel_command},
  {"POST",   "v1/config/reload",           reload_configuration},
  {"GET",    "v1/streams",                 list_streams},
  {"GET",    "v1/streams/*/records",       read_records},
  {"GET",    "v1/streams/*/consumers",     list_consumers},
  {"PUT",    "v1/streams/*/consumers/*",   put_consumer},
});
// clang-format on

bool fits(BytesView pattern, const std::vector<Bytes>& path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::size_t slash = pattern.find('/');
    const BytesView wanted = pattern.substr(0, slash);
    if (wanted == "*" ? path[i].empty() : path[i] != wanted) return false;
    if (slash == BytesView::npos) return i + 1 == path.size();
    pattern.remove_prefix(slash + 1);
  }
  return false;
}

Bytes written(const std::vector<Bytes>& path) {
  Bytes text;
  for (const Bytes& segment : path) text.append("/").append(segment);
  return text.empty() ? "/" : text;
}

Answer dispatch(Call call) {
  RouteChoice choice = choose_route(call.request.method, call.request.path);
  if (choice.route != nullptr) {
    Answer answering = choice.route(std::move(call));
    HttpResponse response = co_await std::move(answering);
    co_return response;
  }
  const Bytes path = written(call.request.path);
  if (choice.allow.empty()) {
    co_return refuse(404, "there is no " + path +
                              "; the paths are in the guide of the control interface, "
                              "and GET /v1/status is the first of them");
  }
  HttpResponse response =
      refuse(405, call.request.method + " is not for " + path + "; use " + choice.allow);
  response.allow = std::move(choice.allow);
  co_return response;
}

}  // namespace

RouteChoice choose_route(BytesView method, const std::vector<Bytes>& path) {
  RouteChoice choice;
  for (const RouteRow& row : rows) {
    if (!fits(row.pattern, path)) continue;
    if (row.method == method) return {row.route, {}};
    if (!choice.allow.empty()) choice.allow += ", ";
    choice.allow += row.method;
  }
  return choice;
}

Handler make_api(Control& control) {
  return [control = &control](HttpRequest request) {
    return dispatch(Call{control, std::move(request)});
  };
}

}  // namespace naru::broker
