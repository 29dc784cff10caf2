// test/sim/sim_device.hpp
//
// SimDevice is a device that takes commands, as vehicles do: it subscribes to its command topic
// and answers with JSON, or is slow, sleeps, refuses, or never says a word; and the wire before it,
// on which somebody listens for the moment at which the broker lets a command go.
//
// Sans-IO: virtual time, a seed decides. Lives on one thread. Owned by CommandLoad; the histories
// and the nodes it is shown must outlive their use. Bounded by the commands it gets.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "storage/base/rng.hpp"
#include "test/sim/sim_node.hpp"
#include "test/support/command_history.hpp"
#include "test/support/model_client.hpp"

namespace naru::test {

// How a device is.
struct DeviceManner {
  const char* id;
  bool persistent;
  mqtt::Version version;
  mqtt::Qos takes, answers;        // QoS of its subscription, and of what it says.
  broker::CommandState last_word;  // queued: it never says anything.
  std::uint32_t session_expiry = 0xffffffff;
  std::uint16_t receive_maximum = 20;
  bool sleeps = false;
  double clean_start = 0;  // Of its connections.
};

class SimDevice {
 public:
  struct Faults {
    double cut = 0, leave = 0, partial = 0;
  };

  SimDevice(const DeviceManner& manner, std::uint32_t number, Faults faults, History& seen,
            CommandHistory& commands, Rng rng);

  // What it does between two turns of the broker. Without a node it cannot connect.
  void step(SimNode* node, Instant now);
  // Takes what the broker has sent, at the time at which it did.
  void take_output(SimNode& node, Instant now);
  void on_broker_dead(Instant now);
  // No more faults: it wakes up, comes back, and says what it has to say.
  void calm();
  bool is_settled() const;
  // It can be given commands.
  bool is_ready() const { return client_.state() == ModelClient::State::online && granted_; }
  std::string id() const { return manner_.id; }
  // What a command's message has to be, told by its id. 0: it is not known.
  std::map<std::string, std::uint64_t>& sums() { return sums_; }

 private:
  struct Link {
    LinkId id = 0;
    bool attached = true;  // The client still has it.
    Bytes listened;        // Not a whole packet yet.
    Bytes down;
    Instant hang_up_at = Instant::never();
  };
  struct Word {  // What it has to say of a command.
    std::string command;
    broker::CommandState state{};
    Instant due{};
    std::optional<MessageId> sent;
  };

  Link* attached();
  void open(SimNode& node, Instant now);
  void detach(Instant now);
  void act(Instant now);
  void speak(Instant now);
  void listen(Link& link, BytesView bytes, Instant now);
  void scan();
  void on_record(const Record& record);
  void on_command(const Record& record);
  void add(CommandEvent event, const std::string& command, Instant now, CommandRecord more = {});

  const DeviceManner& manner_;
  Faults faults_;
  History& seen_;
  CommandHistory& commands_;
  Rng rng_;
  ModelClient client_;
  std::deque<Link> links_;  // The attached one is the last.
  std::deque<Word> words_;
  std::map<std::string, std::uint64_t> sums_;
  std::uint32_t links_opened_ = 0;
  std::size_t scanned_ = 0;
  bool granted_ = false, asked_ = false, awake_ = true, calm_ = false;
};

}  // namespace naru::test
