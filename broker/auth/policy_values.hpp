// broker/auth/policy_values.hpp
//
// PolicyValues is what the credentials of one client say about it beside its names: what the
// variables ${jwt.CLAIM} and ${cert.FIELD} of a pattern stand for.
//
// Sans-IO values. Any thread. Owned by whoever admits a client, then by its connection.
// Bounded by: limits::token_bytes for the claims of a token; limits::policy_value_bytes for each
// value, a longer one is none.
#pragma once

#include <optional>

#include "storage/base/bytes.hpp"

namespace naru::broker {

// Names with their values in one piece of memory: there are few, and every connection has its own.
class NamedValues {
 public:
  // A name or a value that is empty or too long is left out.
  void add(BytesView name, BytesView value);
  std::optional<BytesView> find(BytesView name) const;
  bool empty() const { return packed_.empty(); }

 private:
  Bytes packed_;  // Of each: name and value, a size of two bytes before both.
};

struct PolicyValues {
  NamedValues claims;       // Of its token: those that are strings or integers.
  NamedValues certificate;  // Of the fields that its ACLs name.

  bool empty() const { return claims.empty() && certificate.empty(); }
};

}  // namespace naru::broker
