// What one step of a message costs inside the cores, without sockets: decode, encode, match, and
// the durable path to offline sessions and back (enqueue, commit, drain).
//
// Figures depend on the machine; compare runs of one machine, and ratios.

#include <unistd.h>

#include <filesystem>
#include <memory>

#include <benchmark/benchmark.h>

#include "broker/mqtt/decoder.hpp"
#include "broker/mqtt/encoder.hpp"
#include "broker/routing/filter_index.hpp"
#include "broker/session/shard_core.hpp"
#include "storage/kv/mem_kv.hpp"
#include "storage/kv/rocks_kv.hpp"
#include "storage/tables/journal.hpp"

namespace naru::broker {
namespace {

constexpr std::size_t payload_bytes = 200;
constexpr int sessions = 100;

Bytes publish_packet(mqtt::Qos qos, mqtt::PacketId id) {
  Bytes packet;
  mqtt::PublishHead head;
  head.qos = qos;
  head.packet_id = id;
  mqtt::encode_publish(packet, mqtt::Version::v3_1_1, head, "vehicles/car-0001/telemetry", {},
                       Bytes(payload_bytes, 'x'));
  return packet;
}

void decode_publish(benchmark::State& state) {
  const Bytes packet = publish_packet(mqtt::Qos::at_least_once, 7);
  for (auto _ : state) {
    mqtt::Frame frame;
    mqtt::Publish publish;
    benchmark::DoNotOptimize(mqtt::next_frame(packet, 0, frame));
    benchmark::DoNotOptimize(mqtt::decode_publish(frame, mqtt::Version::v3_1_1, publish));
  }
}
BENCHMARK(decode_publish);

void encode_publish(benchmark::State& state) {
  Bytes out;
  const Bytes payload(payload_bytes, 'x');
  mqtt::PublishHead head;
  head.qos = mqtt::Qos::at_least_once;
  head.packet_id = 7;
  for (auto _ : state) {
    out.clear();
    mqtt::encode_publish(out, mqtt::Version::v5, head, "vehicles/car-0001/telemetry", {}, payload);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(encode_publish);

void match_among_mixed_filters(benchmark::State& state) {
  FilterIndex index;
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(state.range(0)); ++i) {
    const Bytes car = "car-" + std::to_string(i);
    const Bytes filter = i % 4 == 0   ? "vehicles/" + car + "/+/state"
                         : i % 4 == 1 ? "vehicles/" + car + "/#"
                                      : "vehicles/" + car + "/commands";
    index.add(filter, {i, 0, 0, Route::Kind::connection, 1});
  }
  Matches matches;
  std::uint64_t at = 0;
  for (auto _ : state) {
    at = (at + 7'919) % static_cast<std::uint64_t>(state.range(0));
    index.match("vehicles/car-" + std::to_string(at) + "/engine/state", matches);
    benchmark::DoNotOptimize(matches.routes.size());
  }
}
BENCHMARK(match_among_mixed_filters)->Arg(1'000)->Arg(200'000);

// One shard over a store in memory; commits are answered at once.
class Bench {
 public:
  Bench() : core_(ShardSettings{}, routes_, gate_, rules_, Rng{1}) {
    for (int i = 0; i < sessions; ++i) subscribe(connect("session-" + std::to_string(i), false));
    publisher_ = connect("publisher", true);
  }

  ConnectionId connect(const Bytes& client_id, bool clean_start) {
    const ConnectionId id = ++connections_;
    core_.front().opened(id, {"bench", true});
    mqtt::Connect connect;
    connect.version = mqtt::Version::v3_1_1;
    connect.clean_start = clean_start;
    connect.client_id = client_id;
    Bytes bytes;
    mqtt::encode(connect, bytes);
    feed(id, bytes);
    return id;
  }
  void subscribe(ConnectionId id) {
    Bytes raw;
    mqtt::append_entry(raw, {"vehicles/+/telemetry", mqtt::Qos::at_least_once});
    Bytes bytes;
    mqtt::encode(mqtt::Subscribe{1, 0, mqtt::SubscribeEntries{raw}}, mqtt::Version::v3_1_1, bytes);
    feed(id, bytes);
  }
  void go_away(ConnectionId id) {
    core_.front().closed(id);
    turn();
  }
  void publish() { feed(publisher_, packet_); }
  // Acknowledges everything a connection was sent; says how many messages that were.
  std::size_t take(ConnectionId id) {
    Bytes* const output = core_.front().output(id);
    Bytes acks;
    std::size_t count = 0;
    std::size_t at = 0;
    mqtt::Frame frame;
    while (mqtt::next_frame(BytesView{*output}.substr(at), 0, frame) == mqtt::Framing::complete) {
      at += frame.size;
      mqtt::Publish publish;
      if (mqtt::type_of(frame) != mqtt::PacketType::publish ||
          mqtt::decode_publish(frame, mqtt::Version::v3_1_1, publish) != mqtt::DecodeError::none) {
        continue;
      }
      ++count;
      mqtt::encode_ack(acks, mqtt::Version::v3_1_1, mqtt::PacketType::puback, publish.packet_id,
                       mqtt::ReasonCode::success);
    }
    output->clear();
    core_.front().sending(id);
    if (!acks.empty()) feed(id, acks);
    return count;
  }

 private:
  void feed(ConnectionId id, const Bytes& bytes) {
    core_.begin_turn(now_, 1, 1);
    core_.front().receive(id, bytes);
    turn();
  }
  void turn() {
    bool more = true;
    while (more) {
      core_.end_turn();
      ShardOutput& output = core_.output();
      std::vector<storage::CommitOutcome> outcomes;
      for (const storage::CommitUnit& unit : output.units) commit(unit, outcomes);
      output.units.clear();
      output.horizon.clear();
      output.dirty.clear();
      output.resumed.clear();
      more = !outcomes.empty() || !output.fetches.empty();
      if (!outcomes.empty()) core_.on_committed(outcomes);
      for (Fetch& fetch : std::exchange(output.fetches, {})) read(std::move(fetch));
    }
    core_.front().sending(publisher_);
    if (Bytes* const output = core_.front().output(publisher_)) output->clear();
  }
  void commit(const storage::CommitUnit& unit, std::vector<storage::CommitOutcome>& outcomes) {
    storage::CommitOutcome outcome{unit.ticket, 0, std::nullopt};
    if (unit.message) {
      outcome.journal_number = journal_.size() + 1;
      journal_.push_back(unit.message);
    }
    outcomes.push_back(outcome);
  }
  void read(Fetch fetch) {
    Fetched fetched{std::move(fetch), {}};
    for (const std::uint64_t number : fetched.request.journal_numbers) {
      fetched.messages.push_back(storage::Message::decode(Bytes{*journal_[number - 1]}));
    }
    core_.on_fetched(fetched);
  }

  OpenGate gate_;
  FilterIndex routes_;
  RuleSet rules_;
  ShardCore core_;
  Instant now_{Duration{1}};
  ConnectionId connections_ = 0;
  ConnectionId publisher_ = 0;
  const Bytes packet_ = publish_packet(mqtt::Qos::at_least_once, 7);
  std::vector<SharedBytes> journal_;
};

// Each iteration is one publish to 100 sessions that are away; items are copies.
void enqueue_to_offline_sessions(benchmark::State& state) {
  Bench bench;
  for (ConnectionId id = 1; id <= sessions; ++id) bench.go_away(id);
  for (auto _ : state) bench.publish();
  state.SetItemsProcessed(state.iterations() * sessions);
}
BENCHMARK(enqueue_to_offline_sessions)->Iterations(2'000);

// One session comes back to 2,000 messages and acknowledges them; items are copies.
void drain_one_session(benchmark::State& state) {
  Bench bench;
  for (ConnectionId id = 1; id <= sessions; ++id) bench.go_away(id);
  constexpr std::size_t messages = 2'000;
  for (std::size_t i = 0; i < messages; ++i) bench.publish();
  std::size_t copies = 0;
  int session = 0;
  for (auto _ : state) {
    const ConnectionId id = bench.connect("session-" + std::to_string(session++), false);
    while (const std::size_t taken = bench.take(id)) copies += taken;
  }
  if (copies != messages * state.iterations()) return state.SkipWithError("messages are missing");
  state.SetItemsProcessed(static_cast<std::int64_t>(copies));
}
BENCHMARK(drain_one_session)->Iterations(50);

// Entries of 300 bytes, 100 to a synced RocksDB batch; items are entries.
void commit_synced(benchmark::State& state) {
  const std::string directory =
      std::filesystem::temp_directory_path() / ("naru-bench-" + std::to_string(::getpid()));
  {
    storage::RocksOptions options;
    options.directory = directory;
    const auto store = storage::RocksKv::open(options);
    if (!store) return state.SkipWithError(store.error().text.c_str());
    std::uint64_t number = 0;
    for (auto _ : state) {
      storage::Batch batch;
      for (int i = 0; i < 100; ++i) {
        batch.put(storage::Family::journal, storage::journal_key(++number), Bytes(300, 'x'));
      }
      if (!(*store)->commit(batch, storage::Durability::synced)) {
        return state.SkipWithError("the commit failed");
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * 100);
  std::filesystem::remove_all(directory);
}
BENCHMARK(commit_synced)->Iterations(300);

}  // namespace
}  // namespace naru::broker

BENCHMARK_MAIN();
