// broker/auth/gate.hpp
//
// Gate is what a front asks about clients: who may come in, under which id, and with which rights.
//
// Interface of a core; implemented over the operator's files (broker/app/node_gate.hpp). Called by
// every shard on its own thread, at CONNECT and after a reload; answers at once, if only that the
// answer takes its time. What it answers may change between two calls: a reload is that, and
// Front::reload() follows it.
#pragma once

#include <memory>
#include <optional>

#include "broker/auth/acl.hpp"
#include "broker/auth/scram.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/clock.hpp"

namespace naru::broker {

// Where a connection came in: the place of its listener in the configuration.
using ListenerNumber = std::uint16_t;

struct Applicant {
  ListenerNumber listener = 0;
  std::optional<BytesView> user;  // As the client says.
  BytesView password;
  WallMillis now = 0;
};

// An applicant who is to be judged on another thread; the answer goes to Front::on_admission().
struct Application {
  std::uint64_t connection = 0;
  ListenerNumber listener = 0;
  std::optional<Bytes> user;
  Bytes password, client_id, address;
};

// What a service of the operator is asked about a topic or a filter; Front::on_right() gets the
// answer.
struct RightQuestion {
  std::uint64_t connection = 0;
  ListenerNumber listener = 0;
  Bytes user, client_id, address, topic;
  Access access = Access::read;
};
struct RightAnswer {
  Bytes topic;
  Access access = Access::read;
  bool allowed = false;
  Bytes fault{};   // It gave none: why.
  Millis keep{0};  // How long it counts.
};

struct Admission {
  enum class Verdict : std::uint8_t {
    refused,
    admitted,
    later,  // It takes longer than a shard may wait: make an Application.
    busy,   // Too many wait for that.
  };
  Verdict verdict = Verdict::refused;
  Bytes why{};                       // Not admitted: for the log.
  bool failed = false;               // Refused because who was asked gave no answer.
  std::uint64_t proof = 0;           // Admitted: what of the files let it in; changes with them.
  Bytes user{};                      // Whom a token names where the client gave no name.
  WallMillis ends_at = 0;            // When this comes to its end; 0: never.
  std::shared_ptr<const Acl> acl{};  // What a token allows at most; null: anything.
  NamedValues claims{};              // Of a token.

  bool is_admitted() const { return verdict == Verdict::admitted; }
};

// What a client that proves its password by SCRAM is measured by. An unknown user has keys as well,
// which nothing can prove.
struct ScramAccount {
  ScramKeys keys;
  std::uint64_t proof = 0;  // As of Admission.
  Bytes nonce;              // Fresh.
};

// Which client ids there may be.
struct ClientIdRule {
  // What is the client id, whatever the client says.
  enum class From : std::uint8_t { client, user, common_name };
  From from = From::client;
  Bytes prefix;  // Every id begins with it.
};

class Gate {
 public:
  virtual ~Gate() = default;
  virtual Admission admit(const Applicant& applicant) const = 0;
  // Nothing: SCRAM is not offered there.
  virtual std::optional<ScramAccount> scram_account(ListenerNumber listener,
                                                    BytesView user) const = 0;
  virtual ClientIdRule client_ids(ListenerNumber listener) const = 0;
  // Whether who was admitted with this proof would still be; without its password.
  virtual bool still_admits(ListenerNumber listener, BytesView user, std::uint64_t proof) const = 0;
  // The rights of who comes in there; none: everything is allowed.
  virtual std::shared_ptr<const Acl> acl_of(ListenerNumber listener) const = 0;
  // Whether a service has to be asked about every topic, and is not asked here.
  virtual bool asks_rights(ListenerNumber listener) const = 0;
  // A will is published long after its connection, by nobody in particular: whether any listener
  // lets its client publish it.
  virtual bool admits_will(const AclSubject& subject, BytesView topic) const = 0;
};

// Lets everybody in and do everything.
class OpenGate final : public Gate {
 public:
  Admission admit(const Applicant&) const override { return {Admission::Verdict::admitted}; }
  std::optional<ScramAccount> scram_account(ListenerNumber, BytesView) const override {
    return std::nullopt;
  }
  ClientIdRule client_ids(ListenerNumber) const override { return {}; }
  bool still_admits(ListenerNumber, BytesView, std::uint64_t) const override { return true; }
  std::shared_ptr<const Acl> acl_of(ListenerNumber) const override { return nullptr; }
  bool asks_rights(ListenerNumber) const override { return false; }
  bool admits_will(const AclSubject&, BytesView) const override { return true; }
};

}  // namespace naru::broker
