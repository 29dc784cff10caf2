// broker/auth/policy_pattern.hpp
//
// PolicyPattern is the filter of a `pattern` line: text with variables, which stand for what is
// known of the client that asks.
//
//   car/%c/telemetry            %c or ${clientid} is the client id, %u or ${username} the user name
//   fleet/${jwt.fleet}/#        a claim of its token, a string or an integer
//   region/${cert.ou}/alerts    a field of its certificate; certificate_fields has all of them
//
// A variable without a value makes a pattern that matches nothing; so does a value that could
// stand for more than one level of a topic, or for another's.
//
// Sans-IO; pure. Any thread: nothing changes after parse(). Owned by Acl.
// Bounded by limits::topic_bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/auth/policy_values.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

// Who asks. An empty name: the client gave none.
struct AclSubject {
  BytesView user;
  BytesView client_id;
  const PolicyValues* values = nullptr;  // None: nothing else is known of it.
};

struct PolicyVariable {
  enum class Source : std::uint8_t { client_id, username, certificate, token };
  Source source = Source::client_id;
  Bytes name;  // Of the field or the claim.

  bool is_name() const { return source == Source::client_id || source == Source::username; }
  bool operator==(const PolicyVariable&) const = default;
};
Bytes to_string(const PolicyVariable& variable);  // As it is written: ${jwt.fleet}.
// Empty: there is none.
BytesView value_of(const PolicyVariable& variable, const AclSubject& subject);

class PolicyPattern {
 public:
  // An error says what is wrong and what is right. `${` begins a variable; any other '$' or '%' is
  // text.
  static Result<PolicyPattern> parse(std::string_view text);

  // What a client makes of it.
  struct Filled {
    Bytes filter;  // With '+' for each level that lacks a value.
    // Has no value, or one that is part of no topic; a name before anything else.
    const PolicyVariable* lacks = nullptr;
    const PolicyVariable* moves = nullptr;  // Its value would move or hide the levels behind it.
  };
  Filled fill(const AclSubject& subject) const;

  // With a letter for each variable: whether that is a filter says whether this can be one.
  const Bytes& shape() const { return shape_; }
  std::vector<PolicyVariable> variables() const;

 private:
  struct Piece {
    Bytes text;  // In front of the variable.
    PolicyVariable variable;
  };

  std::vector<Piece> pieces_;
  Bytes end_;  // Behind the last variable.
  Bytes shape_;
};

}  // namespace naru::broker
