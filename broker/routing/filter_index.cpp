#include "broker/routing/filter_index.hpp"

#include <algorithm>

namespace naru::broker {

namespace {

bool has_wildcard(BytesView filter) { return filter.find_first_of("+#") != BytesView::npos; }

// Takes the first level off `rest`. npos ends the walk: the last level leaves `last` true.
BytesView take_level(BytesView& rest, bool& last) {
  const std::size_t slash = rest.find('/');
  const BytesView level = rest.substr(0, slash);
  last = slash == BytesView::npos;
  rest.remove_prefix(last ? rest.size() : slash + 1);
  return level;
}

}  // namespace

bool FilterIndex::put(Rows& rows, const Route& route) {
  const auto same =
      std::ranges::find_if(rows, [&](const Route& each) { return each.same_owner(route); });
  if (same != rows.end()) {
    *same = route;
    return false;
  }
  rows.push_back(route);
  return true;
}

bool FilterIndex::take(Rows& rows, const Route& owner) {
  const auto same =
      std::ranges::find_if(rows, [&](const Route& each) { return each.same_owner(owner); });
  if (same == rows.end()) return false;
  *same = rows.back();
  rows.pop_back();
  return true;
}

void FilterIndex::collect(const Rows& rows, Matches& matches) {
  if (rows.empty()) return;
  matches.routes.insert(matches.routes.end(), rows.begin(), rows.end());
  ++matches.filters;
}

bool FilterIndex::add(BytesView filter, const Route& route) {
  bool added = false;
  if (!has_wildcard(filter)) {
    added = put(exact_[Bytes{filter}], route);
  } else {
    Node* node = &root_;
    bool last = false;
    while (!last) {
      const BytesView level = take_level(filter, last);
      if (level == "#") {
        added = put(node->hash_rows, route);
        break;
      }
      auto& next = level == "+" ? node->plus : node->children[Bytes{level}];
      if (!next) next = std::make_unique<Node>();
      node = next.get();
      if (last) added = put(node->rows, route);
    }
  }
  size_ += added ? 1 : 0;
  return added;
}

bool FilterIndex::remove(BytesView filter, const Route& owner) {
  bool removed = false;
  if (!has_wildcard(filter)) {
    const auto found = exact_.find(filter);
    if (found == exact_.end()) return false;
    removed = take(found->second, owner);
    if (found->second.empty()) exact_.erase(found);
  } else {
    removed = remove_below(root_, filter, owner);
  }
  size_ -= removed ? 1 : 0;
  return removed;
}

// Removes on the way down and drops what became empty on the way up.
bool FilterIndex::remove_below(Node& node, BytesView rest, const Route& owner) {
  bool last = false;
  const BytesView level = take_level(rest, last);
  if (level == "#") return take(node.hash_rows, owner);
  const auto child = level == "+" ? node.children.end() : node.children.find(level);
  std::unique_ptr<Node>* next = level == "+"                   ? &node.plus
                                : child == node.children.end() ? nullptr
                                                               : &child->second;
  if (next == nullptr || !*next) return false;
  const bool removed = last ? take((*next)->rows, owner) : remove_below(**next, rest, owner);
  if ((*next)->unused()) {
    if (level == "+") {
      node.plus.reset();
    } else {
      node.children.erase(child);
    }
  }
  return removed;
}

void FilterIndex::walk(const Node& node, BytesView rest, bool first, Matches& matches) {
  // A wildcard in the first level does not see topics that begin with '$'.
  const bool hidden = first && !rest.empty() && rest.front() == '$';
  if (!hidden) collect(node.hash_rows, matches);
  bool last = false;
  const BytesView level = take_level(rest, last);
  const auto below = [&](const Node& child) {
    if (!last) return walk(child, rest, false, matches);
    collect(child.rows, matches);
    collect(child.hash_rows, matches);  // "a/#" matches "a".
  };
  if (!node.children.empty()) {
    const auto child = node.children.find(level);
    if (child != node.children.end()) below(*child->second);
  }
  if (node.plus && !hidden) below(*node.plus);
}

void FilterIndex::match(BytesView topic, Matches& matches) const {
  matches.routes.clear();
  matches.filters = 0;
  if (!exact_.empty()) {
    const auto found = exact_.find(topic);
    if (found != exact_.end()) collect(found->second, matches);
  }
  if (!root_.unused()) walk(root_, topic, true, matches);
}

}  // namespace naru::broker
