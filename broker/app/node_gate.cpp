#include "broker/app/node_gate.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "broker/auth/text_file.hpp"
#include "storage/base/base64.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

using Verdict = Admission::Verdict;

namespace {

constexpr std::size_t nonce_bytes = 18;

Result<Acl> load_acl(const std::string& path) {
  const auto text = read_text(path, limits::acl_file_bytes);
  if (!text) return text.error();
  return Acl::parse(*text, path);
}

ClientIdRule::From from_of(ClientIdFrom from) {
  switch (from) {
    case ClientIdFrom::none: break;
    case ClientIdFrom::username: return ClientIdRule::From::user;
    case ClientIdFrom::cn: return ClientIdRule::From::common_name;
  }
  return ClientIdRule::From::client;
}

enum class Faults : std::uint8_t { of_lines, of_all };

// Reads each file once, however many listeners name it, and gathers what is wrong: all of it under
// the line that names the file, but for faults of lines, which have their own.
template <class Table>
class Library {
 public:
  Library(Result<Table> (*load)(const std::string&), Faults kind, std::string& faults)
      : load_(load), kind_(kind), faults_(faults) {}

  // title: of the line that names it.
  std::shared_ptr<const Table> get(const std::string& path, const std::string& title) {
    if (path.empty()) return nullptr;
    const auto [place, is_new] = tables_.try_emplace(path);
    if (!is_new) return place->second;
    auto table = load_(path);
    if (table) {
      place->second = std::make_shared<const Table>(std::move(*table));
    } else {
      const bool is_placed = kind_ == Faults::of_lines && table.error().code != Errc::io;
      faults_.append(faults_.empty() ? "" : "\n").append(is_placed ? "" : title);
      faults_.append(table.error().text);
    }
    return place->second;
  }

 private:
  Result<Table> (*load_)(const std::string&);
  Faults kind_;
  std::string& faults_;
  std::map<std::string, std::shared_ptr<const Table>> tables_;
};

}  // namespace

Result<void> NodeGate::load(const Config& config) {
  std::string faults;
  Library<PasswordFile> passwords{&PasswordFile::load, Faults::of_lines, faults};
  Library<Acl> acls{&load_acl, Faults::of_lines, faults};
  Library<TokenKeys> secrets{&TokenKeys::load_secret, Faults::of_all, faults};
  Library<TokenKeys> publics{&TokenKeys::load_public, Faults::of_all, faults};
  auto made = std::make_shared<Doors>();
  for (const ListenerConfig& listener : config.listeners) {
    const AccessConfig& access = access_of(config, listener);
    const auto title = [&](std::string_view key, const std::string& path) {
      return place_text(places_of(config, listener), key) + std::string{key} + " " + path + ": ";
    };
    const std::string &secret = access.jwt_secret_file, &keys = access.jwt_key_file;
    const std::string &users = password_file_of(config, listener),
                      &rights = acl_file_of(config, listener);
    made->push_back({allows_anonymous(config, listener),
                     passwords.get(users, title("password_file", users)),
                     {{access.jwt_issuer, access.jwt_audience, access.jwt_username_claim},
                      secrets.get(secret, title("jwt_secret_file", secret)),
                      publics.get(keys, title("jwt_key_file", keys))},
                     {access.auth_http_url, access.acl_http_url, access.auth_http_timeout,
                      access.auth_http_cache},
                     acls.get(rights, title("acl_file", rights)),
                     {from_of(listener.clientid_from), config.clientid_prefixes}});
  }
  if (!faults.empty()) return Error{Errc::invalid, faults};
  const std::lock_guard lock{mutex_};
  doors_ = std::move(made);
  return {};
}

std::shared_ptr<const NodeGate::Doors> NodeGate::doors() const {
  const std::lock_guard lock{mutex_};
  return doors_;
}

NodeGate::Door NodeGate::door(ListenerNumber listener) const {
  const auto now = doors();
  return listener < now->size() ? (*now)[listener] : Door{};
}

Admission NodeGate::admit(const Applicant& applicant) const {
  const Door to = door(applicant.listener);
  const bool by_token = to.tokens.is_on() && looks_like_token(applicant.password);
  const bool by_password = applicant.user && to.passwords && !by_token;
  if (applicant.user && !by_token && to.is_asked_about(*applicant.user)) return {Verdict::later};
  if (by_password && to.passwords->is_costly(*applicant.user)) return {Verdict::later};
  return judge(to, applicant);
}

Admission NodeGate::judge(const Door& to, const Applicant& applicant) {
  const Verdict anonymous = to.anonymous ? Verdict::admitted : Verdict::refused;
  if (to.tokens.is_on() && looks_like_token(applicant.password)) {
    TokenCheck::Verdict verdict =
        to.tokens.judge(applicant.password, applicant.user, applicant.now);
    return {verdict.why == nullptr ? Verdict::admitted : Verdict::refused,
            verdict.why == nullptr ? "" : verdict.why,
            false,
            verdict.proof,
            std::move(verdict.user),
            verdict.ends_at,
            std::move(verdict.acl),
            std::move(verdict.claims)};
  }
  if (!applicant.user) {
    return {anonymous, "it gave no user name, and anonymous clients are not allowed", 0};
  }
  if (!to.passwords && to.tokens.is_on()) return {Verdict::refused, "its password is no token"};
  if (!to.passwords) {
    return {anonymous, "there is no password_file, and anonymous clients are not allowed", 0};
  }
  switch (to.passwords->check(*applicant.user, applicant.password)) {
    case PasswordVerdict::accepted:
      return {Verdict::admitted, "", false, to.passwords->proof_of(*applicant.user)};
    case PasswordVerdict::unknown_user:
      return {Verdict::refused, "the user is not in password_file"};
    case PasswordVerdict::wrong_password: return {Verdict::refused, "the password is wrong"};
    case PasswordVerdict::no_password:
      return {Verdict::refused, "it gave no password, or an empty one, which password_file needs"};
  }
  return {};
}

std::optional<ScramAccount> NodeGate::scram_account(ListenerNumber listener, BytesView user) const {
  const Door to = door(listener);
  if (!to.passwords || !to.passwords->has_scram()) return std::nullopt;
  ScramAccount account;
  account.nonce = encode_base64(random_bytes(nonce_bytes));
  if (auto keys = to.passwords->scram_keys(user)) {
    account.keys = std::move(*keys);
    account.proof = to.passwords->proof_of(user);
    return account;
  }
  // The same salt whenever it is asked for, so that it does not show who is unknown.
  account.keys.salt = hmac_sha256(secret_, user).substr(0, PasswordHash::salt_bytes_usual);
  account.keys.stored_key = random_bytes(sha256_bytes);
  account.keys.server_key = random_bytes(sha256_bytes);
  return account;
}

bool NodeGate::still_admits(ListenerNumber listener, BytesView user, std::uint64_t proof) const {
  const Door to = door(listener);
  if (proof != 0 && to.tokens.has(proof)) return true;
  if (proof != 0 && to.is_asked_about(user) && to.service.proof() == proof) return true;
  if (user.empty() || !to.proves_names()) return to.anonymous;
  return proof != 0 && to.passwords && to.passwords->proof_of(user) == proof;
}

ClientIdRule NodeGate::client_ids(ListenerNumber listener) const {
  return door(listener).client_ids;
}

bool NodeGate::Door::is_asked_about(BytesView user) const {
  return !service.auth_url.empty() && (!passwords || passwords->proof_of(user) == 0);
}

AccessService NodeGate::service_of(ListenerNumber listener) const { return door(listener).service; }

AccessService NodeGate::service_for(ListenerNumber listener, BytesView user) const {
  const Door to = door(listener);
  return to.is_asked_about(user) ? to.service : AccessService{};
}

std::uint64_t AccessService::proof() const {
  return auth_url.empty() ? 0 : std::hash<std::string>{}(auth_url) | 1;
}

bool NodeGate::asks_rights(ListenerNumber listener) const {
  return !door(listener).service.acl_url.empty();
}

std::shared_ptr<const Acl> NodeGate::acl_of(ListenerNumber listener) const {
  return door(listener).acl;
}

bool NodeGate::admits_will(const AclSubject& subject, BytesView topic) const {
  return std::ranges::any_of(*doors(), [&](const Door& to) {
    return !to.acl || to.acl->could_grant(subject, Access::write, topic);
  });
}

}  // namespace naru::broker
