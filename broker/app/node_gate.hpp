// broker/app/node_gate.hpp
//
// NodeGate is the gate over the operator's files: password_file, acl_file and keys of tokens.
//
// Edge. load() on one thread at a time; the rest on any thread. A shard takes a reference to the
// tables of the moment and lets go of it; tables never change.
// Owned by Node. Bounded by: the sizes of the files (limits.hpp), twice at a reload.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "broker/app/config.hpp"
#include "broker/auth/digest.hpp"
#include "broker/auth/gate.hpp"
#include "broker/auth/password_file.hpp"
#include "broker/auth/token_check.hpp"

namespace naru::broker {

// The operator's service behind a listener; empty addresses: there is none.
struct AccessService {
  std::string auth_url, acl_url;
  Millis timeout{0}, keep{0};

  std::uint64_t proof() const;  // Of whom it has let in.
};

class NodeGate final : public Gate {
 public:
  // On an error its text names every wrong line of every file, and the old tables stay.
  Result<void> load(const Config& config);

  Admission admit(const Applicant& applicant) const override;
  // The answer to `later`: takes as long as it takes.
  Admission admit_slowly(const Applicant& applicant) const {
    return judge(door(applicant.listener), applicant);
  }
  std::optional<ScramAccount> scram_account(ListenerNumber listener, BytesView user) const override;
  bool asks_rights(ListenerNumber listener) const override;
  AccessService service_of(ListenerNumber listener) const;
  // The service that has to be asked about this user; none: the files decide.
  AccessService service_for(ListenerNumber listener, BytesView user) const;
  ClientIdRule client_ids(ListenerNumber listener) const override;
  bool still_admits(ListenerNumber listener, BytesView user, std::uint64_t proof) const override;
  std::shared_ptr<const Acl> acl_of(ListenerNumber listener) const override;
  bool admits_will(const AclSubject& subject, BytesView topic) const override;

 private:
  struct Door {
    bool anonymous = false;
    std::shared_ptr<const PasswordFile> passwords;  // None: a name proves nothing.
    TokenCheck tokens;
    AccessService service;
    std::shared_ptr<const Acl> acl;
    ClientIdRule client_ids;

    bool is_asked_about(BytesView user) const;
    bool proves_names() const { return passwords || tokens.is_on() || !service.auth_url.empty(); }
  };
  using Doors = std::vector<Door>;  // By listener.

  std::shared_ptr<const Doors> doors() const;
  Door door(ListenerNumber listener) const;
  static Admission judge(const Door& to, const Applicant& applicant);

  const Bytes secret_ = random_bytes(sha256_bytes);  // Makes up accounts of unknown users.
  mutable std::mutex mutex_;
  std::shared_ptr<const Doors> doors_ = std::make_shared<Doors>();
};

}  // namespace naru::broker
