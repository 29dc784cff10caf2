// broker/session/grants.hpp
//
// Grants is what a token or the operator's service lets a connection do, beside the rules of its
// listener: most connections have none.
//
// Sans-IO data. Lives on the shard that has the socket. Owned by Connection.
// Bounded by: limits::known_rights answers of the service.
#pragma once

#include <memory>
#include <vector>

#include "broker/auth/acl.hpp"
#include "broker/auth/policy_values.hpp"
#include "storage/base/clock.hpp"

namespace naru::broker {

// What acl_http_url has said.
struct KnownRight {
  Bytes topic;
  Access access = Access::read;
  bool allowed = false;
  Bytes fault;  // There was no answer: why.
  Instant until;
};

// What a token or the operator's service lets it do.
struct Grants {
  std::shared_ptr<const Acl> token_acl;  // Beside that of its listener: both have to allow.
  WallMillis end_at = 0;                 // When its token expires; 0: never.
  std::vector<KnownRight> known;
  std::unique_ptr<PolicyValues> values;  // None: its credentials say nothing that patterns name.
};

}  // namespace naru::broker
