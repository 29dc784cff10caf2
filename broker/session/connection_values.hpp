// broker/session/connection_values.hpp
//
// What rules of an acl_file are told about a connection: its names, and what its credentials say;
// and what a service has said of it.
//
// Sans-IO. On the shard of the connection. Bounded by policy_values.hpp: of a certificate only the
// fields are kept that the rules name at the moment; the claims of a token are kept as long as the
// connection, because a reload may name others and the token is gone.
#pragma once

#include "broker/session/connection.hpp"

namespace naru::broker {

// Views of the connection's own; valid until it changes.
AclSubject subject_of(const Connection& c);
// What acl_http_url has said of it; null: it has not been asked, or that is forgotten.
const KnownRight* find_right(const Connection& c, Access access, BytesView topic);
// After its rules or its token have changed. claims: of its token.
void learn_claims(Connection& c, const NamedValues& claims);
void learn_certificate(Connection& c);
// What its rules name, and what that is for it; empty: it has none.
std::vector<std::pair<Bytes, Bytes>> named_values(const Connection& c);

}  // namespace naru::broker
