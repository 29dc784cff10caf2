// broker/routing/filter_index.hpp
//
// FilterIndex is the route table of one thread: filters without wildcards by their text, filters
// with wildcards in a tree of levels.
//
// Sans-IO. Lives on one thread; not thread-safe. Owned by the composition root or a test.
// Bounded by: limits on filter depth and subscriptions, which the front enforces.
// Spec: MQTT 5.0 section 4.7. Agrees with mqtt::filter_matches on every input (tested).
#pragma once

#include <memory>
#include <string>

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/routing/route_table.hpp"

namespace naru::broker {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(BytesView text) const { return std::hash<BytesView>{}(text); }
};
struct TextEqual {
  using is_transparent = void;
  bool operator()(BytesView a, BytesView b) const { return a == b; }
};
template <class Value>
using TextMap = boost::unordered_flat_map<Bytes, Value, TextHash, TextEqual>;

class FilterIndex final : public RouteTable {
 public:
  bool add(BytesView filter, const Route& route) override;
  bool remove(BytesView filter, const Route& owner) override;
  void match(BytesView topic, Matches& matches) const override;
  std::size_t size() const override { return size_; }

 private:
  using Rows = boost::container::small_vector<Route, 1>;

  struct Node {
    TextMap<std::unique_ptr<Node>> children;
    std::unique_ptr<Node> plus;
    Rows rows;       // Filters that end here.
    Rows hash_rows;  // Filters that end here with '#'.
    bool unused() const { return children.empty() && !plus && rows.empty() && hash_rows.empty(); }
  };

  static bool put(Rows& rows, const Route& route);
  static bool take(Rows& rows, const Route& owner);
  static void collect(const Rows& rows, Matches& matches);
  static void walk(const Node& node, BytesView rest, bool first, Matches& matches);
  bool remove_below(Node& node, BytesView rest, const Route& owner);

  TextMap<Rows> exact_;
  Node root_;
  std::size_t size_ = 0;
};

}  // namespace naru::broker
