// test/fuzz/acl_fuzz.cpp
//
// Goal: no bytes make the reader of acl_files misbehave, and a client whose name is odd gets no
// more by patterns than one whose name stands in no topic, nor one whose claim is. Method: the
// bytes are a file; whatever is one is asked for a few topics.

#include <cstddef>
#include <cstdint>

#include "broker/auth/acl.hpp"
#include "storage/base/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace naru::broker;
  const naru::BytesView text{reinterpret_cast<const char*>(data), size};
  const auto acl = Acl::parse(text, "acl");
  if (!acl) {
    NARU_CHECK(!acl.error().text.empty());
    return 0;
  }
  PolicyValues odd_values;
  odd_values.claims.add("a", "#");
  odd_values.claims.add("b", "a/b");
  for (const naru::BytesView topic : {"a", "a/b", "$SYS/x", "a//"}) {
    for (const Access access : {Access::read, Access::write}) {
      const AclVerdict plain = acl->check({"nobody", "nothing"}, access, topic);
      const AclVerdict odd = acl->check({"nobody", "#"}, access, topic);
      NARU_CHECK(plain.allowed || !odd.allowed);
      const AclVerdict claims = acl->check({"nobody", "nothing", &odd_values}, access, topic);
      NARU_CHECK(plain.allowed || !claims.allowed);
      acl->explain(claims);
      acl->explain(plain);
    }
    acl->check_filter({"", "c"}, topic);
  }
  return 0;
}
