#include "tools/naru/pages.hpp"

#include <algorithm>

#include "tools/naru/time_argument.hpp"

namespace naru::tools {
namespace {

constexpr std::uint64_t page_max = 1000;

std::string column_cell(const Json& element, const char* path) {
  const Json value = find_member(element, path);
  if (value.is_boolean()) return value == Json(true) ? "yes" : "no";
  const bool is_time = std::string_view{path}.ends_with("_at");
  if (is_time && value.is_number()) return format_time(value.get<WallMillis>());
  return cell(value);
}

}  // namespace

Result<Json> collect_pages(ControlClient& broker, const PagedRequest& request) {
  Json list = Json::array();
  std::string after;
  while (list.size() < request.limit) {
    const std::uint64_t page = std::min(request.limit - list.size(), page_max);
    std::string path = request.path + "limit=" + std::to_string(page);
    if (!after.empty()) path += "&after=" + url_encode(after);
    const auto answer = broker.call({.method = request.method, .path = std::move(path)});
    if (!answer) return answer.error();
    for (const Json& element : find_member(*answer, request.name)) list.push_back(element);
    const Json next = find_member(*answer, "next");
    if (!next.is_string()) break;
    after = next.get<std::string>();
  }
  return list;
}

void print_list(const Json& list, const std::vector<Column>& columns, bool json) {
  const Shape shape = output_shape(json);
  if (shape == Shape::json) {
    print_json(list);
    return;
  }
  Table::Row titles;
  for (const Column& column : columns) titles.emplace_back(column.title);
  Table table{std::move(titles)};
  for (const Json& element : list) {
    Table::Row row;
    for (const Column& column : columns) row.push_back(column_cell(element, column.path));
    table.add(std::move(row));
  }
  print(table.text(shape));
}

}  // namespace naru::tools
