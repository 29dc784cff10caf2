#include "broker/session/connection_values.hpp"

#include <algorithm>

namespace naru::broker {

namespace {

using Source = PolicyVariable::Source;

template <class Visit>
void each_variable(const Connection& c, Visit&& visit) {
  for (const Acl* const acl : {static_cast<const Acl*>(c.acl.get()), c.token_acl()}) {
    if (acl != nullptr) std::ranges::for_each(acl->variables(), visit);
  }
}

PolicyValues& values_of(Connection& c) {
  auto& values = c.grants().values;
  if (!values) values = std::make_unique<PolicyValues>();
  return *values;
}

}  // namespace

AclSubject subject_of(const Connection& c) {
  return {c.identity, c.client_id, c.granted ? c.granted->values.get() : nullptr};
}

const KnownRight* find_right(const Connection& c, Access access, BytesView topic) {
  if (!c.granted) return nullptr;
  const auto found = std::ranges::find_if(c.granted->known, [&](const KnownRight& each) {
    return each.access == access && each.topic == topic;
  });
  return found == c.granted->known.end() ? nullptr : &*found;
}

void learn_claims(Connection& c, const NamedValues& claims) {
  if (!claims.empty()) values_of(c).claims = claims;
}

void learn_certificate(Connection& c) {
  NamedValues found;
  each_variable(c, [&](const PolicyVariable& variable) {
    if (variable.source != Source::certificate || !c.peer.names) return;
    const auto row =
        std::ranges::find(certificate_fields, variable.name, &CertificateFieldRow::name);
    if (!found.find(variable.name))
      found.add(variable.name, c.peer.names->certificate.value(row->field));
  });
  if (!found.empty() || (c.granted && c.granted->values)) {
    values_of(c).certificate = std::move(found);
    if (c.granted->values->empty()) c.granted->values.reset();
  }
}

std::vector<std::pair<Bytes, Bytes>> named_values(const Connection& c) {
  std::vector<std::pair<Bytes, Bytes>> list;
  each_variable(c, [&](const PolicyVariable& variable) {
    std::pair<Bytes, Bytes> each{to_string(variable), Bytes{value_of(variable, subject_of(c))}};
    if (std::ranges::find(list, each) == list.end()) list.push_back(std::move(each));
  });
  return list;
}

}  // namespace naru::broker
