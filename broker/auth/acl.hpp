// broker/auth/acl.hpp
//
// Acl says who may read and write which topics, as mosquitto's acl_file has it:
//
//   topic read news/#                 before the first user: for clients without a user name
//   user alice
//   topic readwrite home/alice/#      read, write, readwrite or deny; none of them: readwrite
//   pattern write car/%c/telemetry    for everybody; %c is the client id, %u the user name
//
// What no rule grants is denied. A client's own rules come first, then the patterns; within each of
// the two a deny wins.
//
// Sans-IO. Any thread: nothing changes after parse(); a reload makes a new one, and who holds the
// old one keeps it alive. Bounded by limits::acl_file_bytes; a check costs the rules of its user
// and the patterns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/routing/filter_index.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

enum class Access : std::uint8_t { read = 1, write = 2 };

// Who asks. An empty user: the client gave no name.
struct AclSubject {
  BytesView user;
  BytesView client_id;
};

struct AclVerdict {
  bool allowed = false;
  unsigned line = 0;  // Of the rule that decided; 0: no rule grants it.
};

class Acl {
 public:
  // On an error its text names all lines that are wrong, one below the other.
  static Result<Acl> parse(std::string_view text, const std::string& name);

  AclVerdict check(const AclSubject& subject, Access access, BytesView topic) const;
  // Refuses a filter none of whose topics may be read.
  AclVerdict check_filter(const AclSubject& subject, BytesView filter) const;
  // For the log: what refused.
  std::string explain(const AclVerdict& verdict) const;

 private:
  struct Rule {
    Bytes filter;             // Of a pattern: with its %c and %u.
    std::uint8_t grants = 0;  // Of Access; 0: deny.
    unsigned line = 0;
  };
  static constexpr std::size_t anonymous = 0;

  std::string add_line(std::string_view line, unsigned number, std::size_t& section);
  static std::string add_rule(std::string_view rest, unsigned number, std::vector<Rule>& rules);
  const std::vector<Rule>& rules_of(BytesView user) const;
  template <class Denies, class Grants>
  AclVerdict decide(const AclSubject& subject, Access access, const Denies& denies,
                    const Grants& grants) const;

  std::string name_;
  // Denies first, each kind in the order of its lines.
  std::vector<std::vector<Rule>> sections_{1};
  std::vector<Rule> patterns_;
  TextMap<std::size_t> users_;  // -> section
};

}  // namespace naru::broker
