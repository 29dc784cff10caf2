// broker/auth/acl.hpp
//
// Acl says who may read and write which topics, as mosquitto's acl_file has it:
//
//   topic read news/#                 before the first user: for clients without a user name
//   user alice
//   topic readwrite home/alice/#      read, write, readwrite or deny; none of them: readwrite
//   pattern write car/%c/telemetry    for everybody; broker/auth/policy_pattern.hpp has what may
//                                     stand in it
//
// What no rule grants is denied. A client's own rules come first, then the patterns; within each of
// the two a deny wins. Who has '+' or '#' in its client id or user name is denied by any pattern.
//
// Sans-IO. Any thread: nothing changes after parse(); a reload makes a new one, and who holds the
// old one keeps it alive. Bounded by limits::acl_file_bytes; a check costs the rules of its user
// and the patterns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/auth/policy_pattern.hpp"
#include "broker/routing/filter_index.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

enum class Access : std::uint8_t { read = 1, write = 2 };

struct AclVerdict {
  bool allowed = false;
  unsigned line = 0;  // Of the rule that decided; 0: no rule grants it.
  // No rule grants it, but this pattern would if its client had a value for the variable, or
  // another one. Null: there is none. Valid as long as the Acl.
  const PolicyVariable* short_of = nullptr;
  bool has_value = false;
  unsigned short_line = 0;
  // What the client calls itself, where that has a wildcard: no pattern holds for it. Null: fine.
  const char* odd_name = nullptr;
};

class Acl {
 public:
  // On an error its text names all lines that are wrong, one below the other.
  static Result<Acl> parse(std::string_view text, const std::string& name);

  AclVerdict check(const AclSubject& subject, Access access, BytesView topic) const;
  // Refuses a filter none of whose topics may be read.
  AclVerdict check_filter(const AclSubject& subject, BytesView filter) const;
  // Of who has gone, and was asked for its values when it came: whether a rule may still grant it,
  // whatever they were. Rules that deny, and need them, do not count.
  bool could_grant(const AclSubject& subject, Access access, BytesView topic) const;
  // For the log: what refused.
  std::string explain(const AclVerdict& verdict) const;
  // Those its patterns name, without client id and user name; each once.
  const std::vector<PolicyVariable>& variables() const { return variables_; }

 private:
  struct Right {
    std::uint8_t grants = 0;  // Of Access; 0: deny.
    unsigned line = 0;
  };
  struct Rule : Right {
    Bytes filter;
  };
  struct Pattern : Right {
    PolicyPattern filter;
  };
  static constexpr std::size_t anonymous = 0;

  std::string add_line(std::string_view line, unsigned number, std::size_t& section);
  static std::string take_right(std::string_view key, std::string_view rest, Right& right,
                                std::string_view& topic);
  static std::string add_topic(const Right& right, std::string_view topic,
                               std::vector<Rule>& rules);
  std::string add_pattern(const Right& right, std::string_view topic);
  const std::vector<Rule>& rules_of(BytesView user) const;
  template <class Denies, class Grants>
  AclVerdict decide(const AclSubject& subject, Access access, const Denies& denies,
                    const Grants& grants) const;
  template <class Grants>
  AclVerdict find_shortage(const AclSubject& subject, Access access, const Grants& grants) const;

  std::string name_;
  // Denies first, each kind in the order of its lines.
  std::vector<std::vector<Rule>> sections_{1};
  std::vector<Pattern> patterns_;
  std::vector<PolicyVariable> variables_;
  TextMap<std::size_t> users_;  // -> section
};

}  // namespace naru::broker
