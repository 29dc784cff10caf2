// broker/app/access_options.hpp
//
// The table of AccessConfig's options, for the two sections they may stand in.
//
// Sans-IO constants. Bounded by the table.
#pragma once

#include <utility>
#include <vector>

#include "broker/app/access_config.hpp"
#include "storage/base/options.hpp"

namespace naru::broker {

template <auto member, class Target>
OptionRow<Target> access_option(OptionSpec spec) {
  return {
      spec,
      [](Target& target, const OptionValue& value) { option_detail::store(target.*member, value); },
      [](const Target& target) {
        std::vector<OptionValue> values;
        option_detail::load(target.*member, values);
        return values;
      }};
}

// clang-format off
template <class Target>
std::vector<OptionRow<Target>> with_access_options(std::vector<OptionRow<Target>> rows) {
  using A = AccessConfig;
  std::vector<OptionRow<Target>> more = {
    access_option<&A::jwt_secret_file, Target>({.key = "jwt_secret_file", .reloadable = true, .help = "A file with the secret that signs JSON Web Tokens (HS256), at least 32 bytes; a client gives its token as password."}),
    access_option<&A::jwt_key_file, Target>({.key = "jwt_key_file", .reloadable = true, .help = "A file with public keys or certificates in PEM that verify JSON Web Tokens: RSA for RS256, P-256 for ES256. Several may be valid at a time."}),
    access_option<&A::jwt_issuer, Target>({.key = "jwt_issuer", .reloadable = true, .help = "What a token's iss must be; not set: anything."}),
    access_option<&A::jwt_audience, Target>({.key = "jwt_audience", .reloadable = true, .help = "What a token's aud must be or contain; not set: only tokens without aud."}),
    access_option<&A::jwt_username_claim, Target>({.key = "jwt_username_claim", .default_text = "sub", .reloadable = true, .help = "The claim that names the user. A client's user name must be the same; without a user name (MQTT 5) the claim is its name."}),
    access_option<&A::auth_http_url, Target>({.key = "auth_http_url", .reloadable = true, .help = "Where to ask, by POST of JSON, about a user whom password_file does not know and who has no token: 200 lets it in, 403 does not, anything else is a failure and lets nobody in."}),
    access_option<&A::acl_http_url, Target>({.key = "acl_http_url", .reloadable = true, .help = "Where to ask in the same way about each topic of a publish or a will and each filter of a SUBSCRIBE; acl_file has to allow it as well."}),
    access_option<&A::auth_http_timeout, Target>({.key = "auth_http_timeout", .type = OptionType::duration, .default_text = "3s", .min = 1, .max = 9'000, .reloadable = true, .help = "How long both may take to answer."}),
    access_option<&A::auth_http_cache, Target>({.key = "auth_http_cache", .type = OptionType::duration, .default_text = "30s", .max = 86'400'000, .reloadable = true, .help = "How long their answers count; 0ms asks about every CONNECT, and about a right once a second. A reload forgets them all."}),
  };
  for (OptionRow<Target>& row : more) rows.push_back(std::move(row));
  return rows;
}
// clang-format on

}  // namespace naru::broker
