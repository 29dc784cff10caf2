// test/support/reference_run_test.cpp
//
// Goal: model clients and checkers together never accuse an innocent broker, and do find a guilty
// one. Method: a broker in memory that is right because it is small, driven by a seed with cut
// connections and crashes at any byte; then the same runs with one fault planted in it.

#include <catch2/catch.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <utility>

#include "broker/mqtt/encoder.hpp"
#include "test/support/checkers.hpp"
#include "test/support/model_client.hpp"

namespace naru::test {
namespace {

using mqtt::PacketType, mqtt::Qos, mqtt::ReasonCode, mqtt::Version;

enum class Fault { none, forget_dedup, reuse_packet_id, lose_queue, reorder, stale_retained, will };

// Keeps everything in memory that never fails: what it acknowledged it has.
class ReferenceBroker {
 public:
  explicit ReferenceBroker(Fault fault) : fault_(fault) {}

  // Takes what client `who` wrote; appends the answers to the outputs of all concerned.
  void on_bytes(std::size_t who, BytesView bytes) {
    Link& link = links_[who];
    link.input.append(bytes);
    std::size_t used = 0;
    mqtt::Frame frame;
    while (next_frame(BytesView{link.input}.substr(used), 0, frame) == mqtt::Framing::complete) {
      on_frame(who, frame);
      used += frame.size;
    }
    link.input.erase(0, used);
  }
  void on_lost(std::size_t who) {
    Link& link = links_[who];
    const bool fires = link.has_will && !link.goodbye;
    link.has_will = false;
    link.online = false;
    link.input.clear();
    link.output.clear();
    if (!link.persistent) sessions_.erase(who);
    if (fires || (fault_ == Fault::will && link.goodbye)) route(link.will);
  }
  void on_crash() {
    if (fault_ != Fault::lose_queue) return;
    for (auto& [who, session] : sessions_)
      if (session.queue.size() > 1) session.queue.pop_back();
  }
  Bytes take_output(std::size_t who, std::size_t most) {
    Bytes& output = links_[who].output;
    const Bytes taken = output.substr(0, most);
    output.erase(0, taken.size());
    return taken;
  }
  bool has_output(std::size_t who) { return !links_[who].output.empty(); }
  bool said_goodbye(std::size_t who) { return links_[who].goodbye; }

 private:
  struct Message {
    std::string topic;
    Bytes payload;
    Qos qos = Qos::at_most_once;
    bool retain = false;
  };
  struct Entry {
    Message message;
    mqtt::PacketId id = 0;
    bool tried = false, sent = false, released = false;
  };
  struct Session {
    std::map<std::string, Qos> filters;
    std::deque<Entry> queue;
    std::set<mqtt::PacketId> inbound;
    mqtt::PacketId last_id = 0;
  };
  struct Link {
    Bytes input, output;
    Version version = Version::v5;
    std::size_t window = 0;
    bool online = false, persistent = false, has_will = false, goodbye = false;
    Message will;
  };

  void on_connect(std::size_t who, const mqtt::Frame& frame) {
    mqtt::Connect connect;
    REQUIRE(decode_connect(frame, connect) == mqtt::DecodeError::none);
    Link& link = links_[who];
    link.version = connect.version;
    link.window = connect.receive_maximum;
    link.persistent =
        connect.version == Version::v5 ? connect.session_expiry_interval > 0 : !connect.clean_start;
    link.online = true;
    link.goodbye = false;
    link.has_will = connect.will.has_value();
    if (link.has_will)
      link.will = {std::string(connect.will->topic), Bytes(connect.will->payload),
                   connect.will->qos, connect.will->retain};
    if (connect.clean_start) sessions_.erase(who);
    mqtt::Connack connack;
    connack.session_present = sessions_.count(who) != 0;
    encode(connack, link.version, link.output);
    for (Entry& entry : sessions_[who].queue) entry.sent = false;
    pump(who);
  }

  void on_frame(std::size_t who, const mqtt::Frame& frame) {
    Link& link = links_[who];
    const PacketType type = type_of(frame);
    if (type == PacketType::connect) return on_connect(who, frame);
    if (type == PacketType::subscribe) return on_subscribe(who, frame);
    if (type == PacketType::publish) return on_publish(who, frame);
    if (type == PacketType::disconnect) {
      link.goodbye = true;
      return;
    }
    mqtt::Ack ack;
    REQUIRE(decode_ack(frame, link.version, ack) == mqtt::DecodeError::none);
    Session& session = sessions_[who];
    if (type == PacketType::pubrel) {
      session.inbound.erase(ack.packet_id);
      return encode_ack(link.output, link.version, PacketType::pubcomp, ack.packet_id,
                        ReasonCode::success);
    }
    const auto entry = std::find_if(session.queue.begin(), session.queue.end(),
                                    [&](const Entry& each) { return each.id == ack.packet_id; });
    if (entry == session.queue.end()) return;
    if (type == PacketType::pubrec) {
      entry->released = true;
      return encode_ack(link.output, link.version, PacketType::pubrel, ack.packet_id,
                        ReasonCode::success);
    }
    session.queue.erase(entry);
    pump(who);
  }

  void on_subscribe(std::size_t who, const mqtt::Frame& frame) {
    Link& link = links_[who];
    mqtt::Subscribe subscribe;
    REQUIRE(decode_subscribe(frame, link.version, subscribe) == mqtt::DecodeError::none);
    Bytes codes;
    for (const mqtt::SubscribeEntry& entry : subscribe.entries) {
      sessions_[who].filters[std::string(entry.filter)] = entry.qos;
      codes += static_cast<char>(entry.qos);
      for (const auto& [topic, message] : retained_)
        if (filter_matches(entry.filter, topic)) enqueue(who, message, entry.qos);
    }
    mqtt::Suback suback;
    suback.packet_id = subscribe.packet_id;
    suback.codes = mqtt::ReasonCodes{codes};
    encode(suback, link.version, link.output);
    pump(who);
  }

  void on_publish(std::size_t who, const mqtt::Frame& frame) {
    Link& link = links_[who];
    mqtt::Publish publish;
    REQUIRE(decode_publish(frame, link.version, publish) == mqtt::DecodeError::none);
    const bool twice = publish.qos == Qos::exactly_once;
    const bool fresh = !twice || fault_ == Fault::forget_dedup ||
                       sessions_[who].inbound.insert(publish.packet_id).second;
    if (fresh)
      route({std::string(publish.topic), Bytes(publish.payload), publish.qos, publish.retain});
    if (publish.qos != Qos::at_most_once)
      encode_ack(link.output, link.version, twice ? PacketType::pubrec : PacketType::puback,
                 publish.packet_id, ReasonCode::success);
  }

  void route(Message message) {
    if (message.retain) {
      const bool stale = fault_ == Fault::stale_retained && retained_.count(message.topic) != 0;
      if (message.payload.empty())
        retained_.erase(message.topic);
      else if (!stale)
        retained_[message.topic] = message;
    }
    message.retain = false;
    for (auto& [who, session] : sessions_) {
      for (const auto& [filter, qos] : session.filters) {
        if (!filter_matches(filter, message.topic)) continue;
        enqueue(who, message, qos);
        break;
      }
      pump(who);
    }
  }

  void enqueue(std::size_t who, Message message, Qos granted) {
    Session& session = sessions_[who];
    message.qos = std::min(message.qos, granted);
    Entry entry;
    entry.message = std::move(message);
    entry.id = fault_ == Fault::reuse_packet_id ? mqtt::PacketId(session.last_id++ % 3 + 1)
                                                : ++session.last_id;
    session.queue.push_back(std::move(entry));
    if (fault_ == Fault::reorder && session.queue.size() > 1 && session.last_id % 7 == 0)
      std::swap(session.queue.back(), session.queue[session.queue.size() - 2]);
  }

  void pump(std::size_t who) {
    Link& link = links_[who];
    if (!link.online) return;
    std::size_t in_flight = 0;
    for (Entry& entry : sessions_[who].queue) {
      if (++in_flight > link.window) return;
      if (entry.sent) continue;
      entry.sent = true;
      if (entry.released) {
        encode_ack(link.output, link.version, PacketType::pubrel, entry.id, ReasonCode::success);
        continue;
      }
      mqtt::PublishHead head;
      head.dup = std::exchange(entry.tried, true);
      head.qos = entry.message.qos;
      head.retain = entry.message.retain;
      head.packet_id = entry.id;
      encode_publish(link.output, link.version, head, entry.message.topic, {},
                     entry.message.payload);
    }
  }

  Fault fault_;
  std::map<std::size_t, Link> links_;
  std::map<std::size_t, Session> sessions_;
  std::map<std::string, Message> retained_;
};

// One run: publishers and subscribers over pipes that carry any number of bytes at a time.
class Run {
 public:
  Run(std::uint64_t seed, Fault fault) : random_(seed), broker_(fault) {
    for (std::uint32_t i = 0; i < 6; ++i) {
      ModelOptions options;
      options.number = i + 1;
      options.client_id = "c" + std::to_string(i);
      options.version = i % 2 == 0 ? Version::v5 : Version::v3_1_1;
      options.clean_start = i == 1;  // What it has in flight keeps an unknown outcome.
      options.session_expiry = options.clean_start ? 0 : 0xffffffff;
      options.receive_maximum = 5;
      if (i % 3 == 2) options.ack_delay = Duration{40};
      if (i == 5) options.will.emplace().topic = "will";
      add(options);
    }
  }

  Violations violations() {
    for (int step = 0; step < 3000; ++step) disturb(random_() % clients_.size());
    for (std::size_t i = 0; i < clients_.size(); ++i) quiet();
    for (auto& client : clients_) client->note(Event::drained, now_);
    read_retained();
    return check_all(history_);
  }

 private:
  void add(const ModelOptions& options) {
    clients_.push_back(std::make_unique<ModelClient>(options, history_));
    asked_.push_back(false);
  }
  void cut(std::size_t who, bool by_client) {
    if (by_client) clients_[who]->vanish(now_);
    broker_.on_lost(who);
    if (!by_client) clients_[who]->on_closed(ModelClient::ClosedBy::broken, now_);
  }
  void crash() {
    Record record;
    record.at = now_;
    record.event = Event::broker_crash;
    history_.add(record);
    for (std::size_t i = 0; i < clients_.size(); ++i) cut(i, false);
    broker_.on_crash();
  }
  // Moves bytes both ways and lets time pass.
  void move(std::size_t who, std::size_t most) {
    now_ = now_ + Duration{5};
    ModelClient& client = *clients_[who];
    if (client.state() == ModelClient::State::closed) {
      client.on_open(now_);
      asked_[who] = false;
    }
    client.on_time(now_);
    broker_.on_bytes(who, client.take_output());
    client.on_bytes(broker_.take_output(who, most), now_);
    if (broker_.said_goodbye(who)) {
      broker_.on_lost(who);
      client.on_closed(ModelClient::ClosedBy::peer, now_);
    }
    if (client.wants_close()) cut(who, false);
    if (client.state() != ModelClient::State::online || asked_[who]) return;
    asked_[who] = true;
    if (who >= 3 && connected_.insert(who).second) {
      const auto qos = who % 2 == 0 ? Qos::exactly_once : Qos::at_least_once;
      client.subscribe({"t/#", qos, false}, now_);
      client.subscribe({"will", qos, false}, now_);
    }
  }
  void disturb(std::size_t who) {
    ModelClient& client = *clients_[who];
    const std::uint64_t dice = random_() % 300;
    if (dice == 0) crash();
    if (dice > 0 && dice < 6) cut(who, true);
    if (dice == 6) client.disconnect(now_);
    if (dice > 100 && who < 3) publish(client);
    move(who, random_() % 200);
  }
  void publish(ModelClient& client) {
    const std::string topic = "t/" + std::to_string(random_() % 3);
    ModelPublish message;
    message.topic = topic;
    message.qos = random_() % 2 == 0 ? Qos::at_least_once : Qos::exactly_once;
    message.retain = random_() % 8 == 0;
    message.clear = message.retain && random_() % 4 == 0;
    message.size = random_() % 100;
    client.publish(message, now_);
  }
  void quiet() {
    for (int i = 0; i < 400; ++i)
      for (std::size_t who = 0; who < clients_.size(); ++who) move(who, 100'000);
  }
  void read_retained() {
    ModelOptions options;
    options.number = 100;
    options.client_id = "reader";
    options.clean_start = true;
    add(options);
    const std::size_t reader = clients_.size() - 1;
    connected_.insert(reader);
    move(reader, 1000);
    move(reader, 1000);
    clients_[reader]->subscribe({"t/#", Qos::at_least_once, false}, now_);
    quiet();
    clients_[reader]->note(Event::retained_read, now_);
  }

  std::mt19937_64 random_;
  ReferenceBroker broker_;
  History history_;
  std::vector<std::unique_ptr<ModelClient>> clients_;
  std::vector<bool> asked_;
  std::set<std::size_t> connected_;  // Who has subscribed.
  Instant now_{};
};

std::string told(const Violations& violations) {
  std::string text;
  for (const Violation& each : violations) text += each.checker + ": " + each.text + '\n';
  return text;
}

}  // namespace

TEST_CASE("A broker that does everything right is never accused", "[checkers][reference]") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    INFO("seed " << seed);
    CHECK(told(Run{seed, Fault::none}.violations()).empty());
  }
}

TEST_CASE("A broker with one planted fault is found out", "[checkers][reference]") {
  struct Row {
    Fault fault;
    const char* checker;
  };
  const auto row = GENERATE(values<Row>({{Fault::forget_dedup, "exactly once"},
                                         {Fault::reuse_packet_id, "bounds"},
                                         {Fault::lose_queue, "acked delivery"},
                                         {Fault::reorder, "order"},
                                         {Fault::stale_retained, "retained"},
                                         {Fault::will, "wills"}}));
  CAPTURE(row.checker);
  bool found = false;
  for (std::uint64_t seed = 1; seed <= 10 && !found; ++seed)
    for (const Violation& each : Run{seed, row.fault}.violations())
      found = found || each.checker == row.checker;
  CHECK(found);
}

}  // namespace naru::test
