// tools/naru/command_answers.hpp
//
// CommandAnswers is how a vehicle of the fleet obeys: accepted at once, running a moment later,
// succeeded when it is done; what it does not know is rejected.
//
// Sans-IO: commands and time go in, answers come out when they are due.
// Lives on: one thread. Owned by: one vehicle.
// Bounded by: 64 remembered commands; a command that comes again is not carried out again, its
// last answer is repeated.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "broker/mqtt/packets.hpp"
#include "storage/base/clock.hpp"

namespace naru::tools {

class CommandAnswers {
 public:
  struct Answer {
    std::string topic;
    std::string payload;  // {"state":...,"result":...}
    Bytes correlation;    // MQTT 5 correlation data to give back; may be empty.
  };

  // The command's id is the last level of the topic; the answer goes to the response topic, or
  // without one to the topic with /reply behind it. Only MQTT 5 messages have properties.
  void on_command(const mqtt::Publish& message, Instant now);

  Instant next_due() const;  // Instant::never() when nothing is.
  bool take_due(Instant now, Answer& out);

 private:
  struct Step {
    Instant due;
    std::string id;
    Answer answer;
  };
  struct Known {
    std::string id;
    Answer last;
  };

  Known* find_known(BytesView id);
  void add(Instant due, const Answer& base, std::string payload);  // For the newest known.

  std::vector<Step> steps_;  // By time; few.
  std::deque<Known> known_;  // Oldest first.
};

}  // namespace naru::tools
