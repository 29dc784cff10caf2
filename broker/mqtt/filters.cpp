#include "broker/mqtt/filters.hpp"

namespace naru::mqtt {

namespace {

BytesView first_level(BytesView filter) { return filter.substr(0, filter.find('/')); }
bool is_wild(BytesView level) { return level == "+" || level == "#"; }

// Level by level; false at the end.
bool take_level(BytesView& rest, bool& more, BytesView& level) {
  if (!more) return false;
  const std::size_t slash = rest.find('/');
  level = rest.substr(0, slash);
  more = slash != BytesView::npos;
  rest.remove_prefix(more ? slash + 1 : rest.size());
  return true;
}

// A wildcard in the first place does not stand for topics that begin with '$'.
bool apart_by_dollar(BytesView wide, BytesView narrow) {
  return is_wild(first_level(wide)) && narrow.starts_with('$');
}

}  // namespace

bool filter_covers(BytesView outer, BytesView inner) {
  if (apart_by_dollar(outer, inner)) return false;
  if (outer == "+/#" && inner == "#") return true;  // Every topic has a first level.
  bool outer_more = true, inner_more = true;
  BytesView wide, narrow;
  while (take_level(outer, outer_more, wide)) {
    if (wide == "#") return true;
    if (!take_level(inner, inner_more, narrow) || narrow == "#") return false;
    if (wide != "+" && wide != narrow) return false;
    if (!inner_more) return !outer_more || outer == "#";
  }
  return !inner_more;
}

bool filters_overlap(BytesView a, BytesView b) {
  if (apart_by_dollar(a, b) || apart_by_dollar(b, a)) return false;
  bool a_more = true, b_more = true;
  BytesView one, other;
  while (a_more && b_more) {
    take_level(a, a_more, one);
    take_level(b, b_more, other);
    if (one == "#" || other == "#") return true;
    if (one != "+" && other != "+" && one != other) return false;
  }
  // "a/#" also means "a" itself.
  return (!a_more || a == "#") && (!b_more || b == "#");
}

}  // namespace naru::mqtt
