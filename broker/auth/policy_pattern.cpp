#include "broker/auth/policy_pattern.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "broker/auth/certificate_fields.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

using Source = PolicyVariable::Source;

namespace {

constexpr std::string_view opening = "${", certificate_prefix = "cert.", token_prefix = "jwt.";
constexpr char lacking = '\0';  // Stands in no filter.

constexpr std::string_view wildcards_and_zero{"+#\0", 3};

std::optional<PolicyVariable> variable_of(std::string_view name) {
  if (name == "clientid") return PolicyVariable{Source::client_id, {}};
  if (name == "username") return PolicyVariable{Source::username, {}};
  if (name.starts_with(certificate_prefix)) {
    name.remove_prefix(certificate_prefix.size());
    const auto row = std::ranges::find(certificate_fields, name, &CertificateFieldRow::name);
    if (row == certificate_fields.end()) return std::nullopt;
    return PolicyVariable{Source::certificate, Bytes{name}};
  }
  if (!name.starts_with(token_prefix)) return std::nullopt;
  name.remove_prefix(token_prefix.size());
  if (name.empty() || name.size() > limits::policy_value_bytes) return std::nullopt;
  return PolicyVariable{Source::token, Bytes{name}};
}

std::string known_variables() {
  std::string list = "${clientid}, ${username}, ";
  for (const CertificateFieldRow& row : certificate_fields) {
    list += to_string({Source::certificate, Bytes{row.name}}) + ", ";
  }
  return list + "and ${jwt.CLAIM} for a claim of its token";
}

// Levels that lack a value may be anything.
void widen(Bytes& filter) {
  Bytes wide;
  BytesView rest = filter;
  while (true) {
    const BytesView level = rest.substr(0, rest.find('/'));
    wide.append(level.find(lacking) == BytesView::npos ? level : "+");
    rest.remove_prefix(level.size());
    if (rest.empty()) break;
    wide.push_back('/');
    rest.remove_prefix(1);
  }
  filter = std::move(wide);
}

}  // namespace

Bytes to_string(const PolicyVariable& variable) {
  switch (variable.source) {
    case Source::client_id: return "${clientid}";
    case Source::username: return "${username}";
    case Source::certificate: return "${cert." + variable.name + "}";
    case Source::token: break;
  }
  return "${jwt." + variable.name + "}";
}

BytesView value_of(const PolicyVariable& variable, const AclSubject& subject) {
  if (variable.source == Source::client_id) return subject.client_id;
  if (variable.source == Source::username) return subject.user;
  if (subject.values == nullptr) return {};
  const bool is_claim = variable.source == Source::token;
  const NamedValues& values = is_claim ? subject.values->claims : subject.values->certificate;
  return values.find(variable.name).value_or(BytesView{});
}

Result<PolicyPattern> PolicyPattern::parse(std::string_view text) {
  PolicyPattern pattern;
  Bytes& before = pattern.end_;
  while (!text.empty()) {
    const std::string_view two = text.substr(0, 2);
    std::string_view word = two;
    std::optional<PolicyVariable> variable;
    if (two == "%c") variable = PolicyVariable{Source::client_id, {}};
    if (two == "%u") variable = PolicyVariable{Source::username, {}};
    if (two == opening) {
      word = text.substr(0, std::min(text.find('}'), text.size() - 1) + 1);
      if (!word.ends_with('}')) {
        return Error{Errc::invalid, "'${' begins a variable, and there is no '}' behind it"};
      }
      variable = variable_of(word.substr(2, word.size() - 3));
      if (!variable) {
        return Error{Errc::invalid,
                     "'" + std::string{word} + "' is no variable: there are " + known_variables()};
      }
    }
    if (variable) {
      pattern.shape_.append("v");
      pattern.pieces_.push_back({std::exchange(before, {}), std::move(*variable)});
      text.remove_prefix(word.size());
    } else {
      pattern.shape_.push_back(text.front());
      before.push_back(text.front());
      text.remove_prefix(1);
    }
  }
  return pattern;
}

PolicyPattern::Filled PolicyPattern::fill(const AclSubject& subject) const {
  Filled filled;
  for (const Piece& piece : pieces_) {
    filled.filter.append(piece.text);
    const BytesView value = value_of(piece.variable, subject);
    if (value.empty() || value.find_first_of(wildcards_and_zero) != BytesView::npos) {
      if (filled.lacks == nullptr || piece.variable.is_name()) filled.lacks = &piece.variable;
      filled.filter.push_back(lacking);
      continue;
    }
    // Topics that begin with '$' are the broker's.
    const bool hides = filled.filter.empty() && value.front() == '$' && !piece.variable.is_name();
    if (hides || value.find('/') != BytesView::npos) filled.moves = &piece.variable;
    filled.filter.append(value);
  }
  filled.filter.append(end_);
  if (filled.lacks != nullptr) widen(filled.filter);
  return filled;
}

std::vector<PolicyVariable> PolicyPattern::variables() const {
  std::vector<PolicyVariable> list;
  for (const Piece& piece : pieces_) list.push_back(piece.variable);
  return list;
}

}  // namespace naru::broker
