#include "broker/auth/token.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "storage/base/base64.hpp"
#include "storage/base/limits.hpp"
#include "storage/base/options.hpp"

namespace naru::broker {

namespace {

using Json = nlohmann::json;

struct AlgorithmRow {
  std::string_view name;
  TokenAlgorithm algorithm;
};
constexpr auto algorithms = std::to_array<AlgorithmRow>({
    {"HS256", TokenAlgorithm::hs256},
    {"RS256", TokenAlgorithm::rs256},
    {"ES256", TokenAlgorithm::es256},
});

constexpr double latest_second = 253'402'300'799;  // The end of the year 9999.
constexpr std::size_t levels_most = 16;

// Counts levels while it reads: a text of brackets must not become a tower of values.
std::optional<Json> parse_object(BytesView text) {
  bool too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t, Json&) {
    too_deep |= depth > static_cast<int>(levels_most);
    return !too_deep;
  };
  Json value = Json::parse(text, watch, false);
  if (too_deep || !value.is_object()) return std::nullopt;
  return value;
}

const Json* find(const Json& object, const std::string& name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

const std::string* text_of(const Json* value) {
  return value == nullptr ? nullptr : value->get_ptr<const std::string*>();
}

// NumericDate of RFC 7519, as milliseconds.
std::optional<WallMillis> time_of(const Json& value) {
  if (!value.is_number()) return std::nullopt;
  const double seconds = value.get<double>();
  if (!(seconds >= 0 && seconds <= latest_second)) return std::nullopt;
  return static_cast<WallMillis>(seconds * 1000);
}

bool names_audience(const Json& value, const std::string& audience) {
  if (value.is_string()) return value.get_ref<const std::string&>() == audience;
  return value.is_array() && std::find(value.begin(), value.end(), Json(audience)) != value.end();
}

const char* judge_audience(const Json* claim, const std::string& audience) {
  if (claim == nullptr) return audience.empty() ? nullptr : "its token names no audience";
  if (audience.empty()) return "its token is for an audience: set jwt_audience to accept that";
  return names_audience(*claim, audience) ? nullptr : "its token is for another audience";
}

const char* judge_times(const Json& claims, WallMillis now, WallMillis& ends_at) {
  const auto skew = static_cast<WallMillis>(token_skew.count());
  const Json* const exp = find(claims, "exp");
  if (exp == nullptr) return "its token has no exp: a token must end some day";
  const auto end = time_of(*exp);
  if (!end) return "the exp of its token is no time";
  if (now >= *end + skew) return "its token has expired";
  ends_at = *end + skew;
  const Json* const nbf = find(claims, "nbf");
  if (nbf == nullptr) return nullptr;
  const auto begin = time_of(*nbf);
  if (!begin) return "the nbf of its token is no time";
  return now + skew < *begin ? "its token is not valid yet" : nullptr;
}

// {"read": [filters], "write": [filters]}, as lines of an acl_file that hold for whoever has it.
bool read_acl(const Json* claim, std::shared_ptr<const Acl>& acl) {
  if (claim == nullptr) return true;
  if (!claim->is_object()) return false;
  std::string lines;
  for (const auto& item : claim->items()) {
    const bool known = item.key() == "read" || item.key() == "write";
    if (!known || !item.value().is_array()) return false;
    for (const Json& each : item.value()) {
      const std::string* const filter = text_of(&each);
      const bool plain = filter != nullptr && !filter->empty() && trim(*filter) == *filter &&
                         filter->find_first_of("\r\n") == std::string::npos;
      if (!plain) return false;
      lines.append("pattern ").append(item.key()).append(" ").append(*filter).append("\n");
    }
  }
  auto made = Acl::parse(lines, "the acl of its token");
  if (!made) return false;
  acl = std::make_shared<const Acl>(std::move(*made));
  return true;
}

NamedValues values_of(const Json& claims) {
  NamedValues values;
  for (const auto& [name, value] : claims.items()) {
    if (const std::string* const text = text_of(&value)) values.add(name, *text);
    if (value.is_number_integer()) values.add(name, value.dump());
  }
  return values;
}

}  // namespace

bool looks_like_token(BytesView text) { return std::count(text.begin(), text.end(), '.') == 2; }

const char* decode_token(BytesView token, TokenParts& parts) {
  if (token.size() > limits::token_bytes) return "its token is too long";
  if (!looks_like_token(token)) return "its password is no token";
  const std::size_t first = token.find('.');
  const std::size_t second = token.find('.', first + 1);
  const auto header = decode_base64url(token.substr(0, first));
  auto claims = decode_base64url(token.substr(first + 1, second - first - 1));
  auto signature = decode_base64url(token.substr(second + 1));
  if (!header || !claims || !signature) return "its token is not base64url";
  const auto object = parse_object(*header);
  if (!object) return "the header of its token is no JSON object";
  // Whoever does not understand an extension that is marked so has to refuse: RFC 7515, 4.1.11.
  if (find(*object, "crit") != nullptr) return "its token has critical extensions";
  const std::string* const name = text_of(find(*object, "alg"));
  const auto* const row = name == nullptr
                              ? algorithms.end()
                              : std::ranges::find(algorithms, *name, &AlgorithmRow::name);
  if (row == algorithms.end()) return "the alg of its token is none of HS256, RS256 and ES256";
  parts.algorithm = row->algorithm;
  parts.signed_text = token.substr(0, second);
  parts.claims = std::move(*claims);
  parts.signature = std::move(*signature);
  return nullptr;
}

const char* judge_claims(BytesView claims, const TokenRule& rule, WallMillis now,
                         TokenClaims& found) {
  const auto object = parse_object(claims);
  if (!object) return "the claims of its token are no JSON object";
  if (const char* const why = judge_times(*object, now, found.ends_at)) return why;
  if (!rule.issuer.empty()) {
    const std::string* const issuer = text_of(find(*object, "iss"));
    if (issuer == nullptr || *issuer != rule.issuer) return "its token is of another issuer";
  }
  if (const char* const why = judge_audience(find(*object, "aud"), rule.audience)) return why;
  const std::string* const user = text_of(find(*object, rule.username_claim));
  const bool odd = user == nullptr || user->empty() || user->size() > limits::string_bytes ||
                   user->find('\0') != std::string::npos;
  if (odd) return "its token names no user in the claim that jwt_username_claim says";
  found.user = *user;
  if (!read_acl(find(*object, "acl"), found.acl)) {
    return "the acl of its token is not {\"read\": [FILTER, ...], \"write\": [FILTER, ...]}";
  }
  found.values = values_of(*object);
  return nullptr;
}

}  // namespace naru::broker
