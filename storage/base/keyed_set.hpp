// storage/base/keyed_set.hpp
//
// KeyedSet is a hash set of pointers to things that know their own key: a place of the table is
// one pointer and a byte, where a map keeps the key a second time. There is one for every
// connection.
//
// Sans-IO. Lives on one thread; a value. Bounded by its user. The key of a thing that is in a set
// must not change.
#pragma once

#include <cstddef>
#include <functional>
#include <type_traits>

#include <boost/unordered/unordered_flat_set.hpp>

#include "storage/base/bytes.hpp"

namespace naru {

// Reads a key, of a thing or as it is; `member` is the thing's, &Thing::id for example.
template <auto member>
struct KeyOf;
template <class Thing, class Key, Key Thing::*member>
struct KeyOf<member> {
  using View = std::conditional_t<std::is_same_v<Key, Bytes>, BytesView, Key>;
  View operator()(View key) const { return key; }
  template <class Pointer>
  requires requires(const Pointer& pointer) { (*pointer).*member; }
  View operator()(const Pointer& pointer) const { return (*pointer).*member; }
};

template <auto member>
struct KeyHash {
  using is_transparent = void;
  std::size_t operator()(const auto& it) const {
    return std::hash<typename KeyOf<member>::View>{}(KeyOf<member>{}(it));
  }
};

template <auto member>
struct KeyEqual {
  using is_transparent = void;
  bool operator()(const auto& a, const auto& b) const {
    return KeyOf<member>{}(a) == KeyOf<member>{}(b);
  }
};

template <class Pointer, auto member>
using KeyedSet = boost::unordered_flat_set<Pointer, KeyHash<member>, KeyEqual<member>>;

}  // namespace naru
