#include "broker/app/node_gate.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "broker/auth/text_file.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

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

// Reads each file once, however many listeners name it, and gathers what is wrong.
template <class Table>
class Library {
 public:
  Library(Result<Table> (*load)(const std::string&), std::string& faults)
      : load_(load), faults_(faults) {}

  std::shared_ptr<const Table> get(const std::string& path) {
    if (path.empty()) return nullptr;
    const auto [place, is_new] = tables_.try_emplace(path);
    if (!is_new) return place->second;
    auto table = load_(path);
    if (table) {
      place->second = std::make_shared<const Table>(std::move(*table));
    } else {
      faults_.append(faults_.empty() ? "" : "\n").append(table.error().text);
    }
    return place->second;
  }

 private:
  Result<Table> (*load_)(const std::string&);
  std::string& faults_;
  std::map<std::string, std::shared_ptr<const Table>> tables_;
};

}  // namespace

Result<void> NodeGate::load(const Config& config) {
  std::string faults;
  Library<PasswordFile> passwords{&PasswordFile::load, faults};
  Library<Acl> acls{&load_acl, faults};
  auto made = std::make_shared<Doors>();
  for (const ListenerConfig& listener : config.listeners) {
    made->push_back({allows_anonymous(config, listener),
                     passwords.get(password_file_of(config, listener)),
                     acls.get(acl_file_of(config, listener)),
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
  if (!applicant.user) {
    return {to.anonymous, "it gave no user name, and anonymous clients are not allowed", 0};
  }
  if (!to.passwords) {
    return {to.anonymous, "there is no password_file, and anonymous clients are not allowed", 0};
  }
  switch (to.passwords->check(*applicant.user, applicant.password)) {
    case PasswordVerdict::accepted: return {true, "", to.passwords->proof_of(*applicant.user)};
    case PasswordVerdict::unknown_user: return {false, "the user is not in password_file", 0};
    case PasswordVerdict::wrong_password: return {false, "the password is wrong", 0};
  }
  return {};
}

bool NodeGate::still_admits(ListenerNumber listener, BytesView user, std::uint64_t proof) const {
  const Door to = door(listener);
  if (user.empty() || !to.passwords) return to.anonymous;
  return proof != 0 && to.passwords->proof_of(user) == proof;
}

ClientIdRule NodeGate::client_ids(ListenerNumber listener) const {
  return door(listener).client_ids;
}

std::shared_ptr<const Acl> NodeGate::acl_of(ListenerNumber listener) const {
  return door(listener).acl;
}

bool NodeGate::admits_will(const AclSubject& subject, BytesView topic) const {
  return std::ranges::any_of(*doors(), [&](const Door& to) {
    return !to.acl || to.acl->check(subject, Access::write, topic).allowed;
  });
}

}  // namespace naru::broker
