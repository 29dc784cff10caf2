// tools/naru/pages.hpp
//
// Collects what the broker tells in pages: {"NAME": [...], "next": "..."} until there is no next.
//
// Edge: asks the broker. Lives on the one thread of naru.
// Bounded by: the limit of elements; without one, by what the broker has.
#pragma once

#include <cstdint>
#include <string>

#include "tools/naru/control_client.hpp"

namespace naru::tools {

inline constexpr std::uint64_t no_limit = ~std::uint64_t{0};

struct PagedRequest {
  const char* method = "GET";
  std::string path;  // Ends with '?', or with "&" behind other parameters.
  std::string name;  // Of the list in the answer.
  std::uint64_t limit = no_limit;
};

Result<Json> collect_pages(ControlClient& broker, const PagedRequest& request);

// --json prints the list; else the columns, a title and the path of a member each.
struct Column {
  const char* title;
  const char* path;
};
void print_list(const Json& list, const std::vector<Column>& columns, bool json);

}  // namespace naru::tools
