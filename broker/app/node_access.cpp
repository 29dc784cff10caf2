// Node's part that answers shards what takes its time: costly passwords, and questions to the
// operator's service.

#include <boost/asio/post.hpp>

#include "broker/app/node.hpp"
#include "broker/session/denials.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

namespace asio = boost::asio;
using Verdict = Admission::Verdict;

void Node::answer(std::uint16_t shard, std::uint64_t connection, const Admission& admission) {
  shards_[shard]->post([connection, admission](ShardCore& core) {
    core.front().on_admission(connection, admission);
  });
}

void Node::judge_later(std::uint16_t shard, Application application) {
  if (application.user) {
    const AccessService service = gate_.service_for(application.listener, *application.user);
    if (!service.auth_url.empty()) return ask_about(shard, application, service);
  }
  if (++waiting_admissions_ > limits::waiting_admissions) {
    --waiting_admissions_;
    return answer(shard, application.connection,
                  {Verdict::busy, "too many passwords wait to be checked"});
  }
  asio::post(*judge_, [this, shard, asked_at = now(), application = std::move(application)] {
    --waiting_admissions_;
    if (now() - asked_at > config_.connect_timeout) return;  // It has been told already.
    std::optional<BytesView> user;
    if (application.user) user = *application.user;
    answer(shard, application.connection,
           gate_.admit_slowly({application.listener, user, application.password, wall()}));
  });
}

void Node::ask_about(std::uint16_t shard, const Application& application,
                     const AccessService& service) {
  // Without its port, so that a client that comes again is asked for in the same words.
  const AccessSubject who{application.client_id, *application.user, host_of(application.address)};
  std::string text = connect_question(who, application.password);
  const std::uint64_t connection = application.connection;
  if (text.empty()) {
    return answer(shard, connection,
                  {Verdict::refused, "its password is no UTF-8, which auth_http_url needs"});
  }
  access_caller_.ask({service.auth_url, std::move(text), service.timeout, service.keep},
                     [this, shard, connection, proof = service.proof()](AccessAnswer said) {
                       Admission admission{Verdict::refused, "auth_http_url denies it"};
                       if (said.allowed) admission.verdict = Verdict::admitted;
                       admission.failed = !said.fault.empty();
                       if (admission.failed) admission.why = "auth_http_url failed: " + said.fault;
                       admission.proof = proof;
                       answer(shard, connection, admission);
                     });
}

void Node::ask_right(std::uint16_t shard, RightQuestion question) {
  const AccessService service = gate_.service_of(question.listener);
  const AccessSubject who{question.client_id, question.user, host_of(question.address)};
  std::string text = right_question(who, question.access, question.topic);
  access_caller_.ask(
      {service.acl_url, std::move(text), service.timeout, service.keep},
      [this, shard, connection = question.connection, topic = question.topic,
       access = question.access, keep = service.keep](AccessAnswer said) {
        RightAnswer right{topic, access, said.allowed, std::move(said.fault), keep};
        shards_[shard]->post([connection, right = std::move(right)](ShardCore& core) {
          core.front().on_right(connection, right);
        });
      });
}

}  // namespace naru::broker
