// test/tools/mosquitto_queue_test.cpp
//
// Goal: what mosquitto had on its way to a client goes on under the packet ids the client knows,
// and nothing is called sent that was not. Method: places by hand; the queue a start makes of their
// numbers sends all of it, and its packets are compared.

#include "tools/naru/mosquitto_queue.hpp"

#include <catch2/catch.hpp>

#include "broker/session/session_queue.hpp"

namespace naru::tools {
namespace {

using State = MosquittoState;
using Texts = std::vector<std::string>;

MosquittoPlace place(std::uint16_t packet_id, std::uint8_t qos, State state) {
  MosquittoPlace made;
  made.packet_id = packet_id;
  made.qos = qos;
  made.state = state;
  return made;
}

QueueNumbers numbers_of(const std::vector<MosquittoPlace>& places) {
  std::vector<const MosquittoPlace*> pointers;
  for (const MosquittoPlace& each : places) pointers.push_back(&each);
  return number_queue(pointers);
}

// What the client gets when it comes back.
Texts sent_of(const std::vector<MosquittoPlace>& places) {
  using Queue = broker::SessionQueue;
  const QueueNumbers made = numbers_of(places);
  Queue queue;
  queue.apply(made.cursor);
  for (std::size_t i = 0; i < places.size(); ++i) {
    Queue::Entry entry;
    entry.options = places[i].qos;
    queue.skip_to(made.numbers[i]);
    queue.enqueue(made.numbers[i], entry, {});
  }
  queue.apply(made.cursor);
  queue.attach(1000);
  Texts sent;
  while (const std::uint64_t number = queue.next_to_send()) {
    const std::string id = std::to_string(Queue::packet_id_of(number));
    const bool released = queue.at(number).state == Queue::State::released;
    const char* const dup = queue.sent_before(number) ? " again" : "";
    sent.push_back((released ? "PUBREL " : "PUBLISH ") + id + (released ? "" : dup));
    queue.on_sent(number);
  }
  return sent;
}

}  // namespace

TEST_CASE("What is on its way keeps its packet id over those that are done", "[import]") {
  CHECK(sent_of({place(1, 2, State::pubcomp), place(3, 1, State::puback),
                 place(7, 2, State::pubrec), place(8, 1, State::queued)}) ==
        Texts{"PUBREL 1", "PUBLISH 3 again", "PUBLISH 7 again", "PUBLISH 8"});
  CHECK(sent_of({place(900, 2, State::resend_pubrel), place(902, 2, State::publish_qos2)}) ==
        Texts{"PUBREL 900", "PUBLISH 902 again"});
  CHECK(numbers_of({place(2, 2, State::pubrec), place(5, 2, State::pubrec)}).cursor.done ==
        std::vector<std::uint64_t>{2, 3});
}

TEST_CASE("What was never sent is not called sent, though mosquitto gave it an id", "[import]") {
  const std::vector<MosquittoPlace> places = {place(1, 1, State::queued),
                                              place(2, 2, State::queued)};
  CHECK(sent_of(places) == Texts{"PUBLISH 2", "PUBLISH 3"});
  CHECK(numbers_of(places).cursor.sent_through == 0);
}

TEST_CASE("Packet ids go on behind the last of ours", "[import]") {
  const std::vector<MosquittoPlace> places = {place(32'766, 2, State::pubrec),
                                              place(32'767, 2, State::pubcomp),
                                              place(2, 2, State::pubcomp)};
  CHECK(sent_of(places) == Texts{"PUBLISH 32766 again", "PUBREL 32767", "PUBREL 2"});
  CHECK(numbers_of(places).sent_again == 0);
}

TEST_CASE("A packet id that is none of ours is given up, and QoS 2 under it counted", "[import]") {
  struct Case {
    std::vector<MosquittoPlace> places;
    Texts sent;
    std::uint64_t again;
  };
  const auto one = GENERATE_COPY(values<Case>({
      {{place(40'000, 2, State::pubrec), place(5, 2, State::pubcomp), place(6, 1, State::queued)},
       {"PUBLISH 4 again", "PUBREL 5", "PUBLISH 6"},
       1},
      {{place(1, 2, State::pubcomp), place(32'768, 2, State::pubcomp)},
       {"PUBREL 1", "PUBLISH 2 again"},
       1},
      {{place(65'535, 1, State::puback), place(1, 1, State::puback)},
       {"PUBLISH 32767 again", "PUBLISH 1 again"},
       0},
      {{place(50'000, 2, State::pubrec), place(50'001, 2, State::queued)},
       {"PUBLISH 2 again", "PUBLISH 3"},
       1},
      {{place(5, 2, State::pubrec), place(7, 2, State::pubrec), place(6, 2, State::pubcomp)},
       {"PUBLISH 5 again", "PUBLISH 7 again", "PUBLISH 8 again"},
       1},
  }));
  CHECK(sent_of(one.places) == one.sent);
  CHECK(numbers_of(one.places).sent_again == one.again);
}

TEST_CASE("The widest gap is one turn of packet ids", "[import]") {
  CHECK(sent_of({place(5, 2, State::pubrec), place(4, 2, State::pubcomp)}) ==
        Texts{"PUBLISH 5 again", "PUBREL 4"});
}

}  // namespace naru::tools
