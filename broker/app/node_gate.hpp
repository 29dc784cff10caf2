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
  ClientIdRule client_ids(ListenerNumber listener) const override;
  bool still_admits(ListenerNumber listener, BytesView user, std::uint64_t proof) const override;
  std::shared_ptr<const Acl> acl_of(ListenerNumber listener) const override;
  bool admits_will(const AclSubject& subject, BytesView topic) const override;

 private:
  struct Door {
    bool anonymous = false;
    std::shared_ptr<const PasswordFile> passwords;  // None: a name proves nothing.
    TokenCheck tokens;
    std::shared_ptr<const Acl> acl;
    ClientIdRule client_ids;
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
