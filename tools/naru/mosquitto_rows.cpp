// tools/naru/mosquitto_rows.cpp: from what mosquitto kept to records, and from those to rows.
#include <algorithm>
#include <map>
#include <set>

#include "broker/mqtt/properties.hpp"
#include "broker/mqtt/topics.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "cluster/lanes/lane_log.hpp"
#include "storage/kv/commit_batch.hpp"
#include "storage/tables/meta.hpp"
#include "storage/tables/retained.hpp"
#include "storage/tables/schema.hpp"
#include "tools/naru/mosquitto_import.hpp"
#include "tools/naru/mosquitto_queue.hpp"

namespace naru::tools {
namespace {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

constexpr std::size_t batch_bytes = 4u << 20;
constexpr std::uint8_t retain_flag = 4;        // Of Reference::options.
constexpr std::uint8_t bridge_options = 0x0c;  // Of SUBSCRIBE: no local, retain as published.
constexpr std::uint32_t never_expires = 0xffffffff;

// Bridges' sessions last, though the file gives them no expiry. What tells them from sessions that
// end with their connection: the client id of those that are given none, or the options with which
// only bridges subscribe.
std::set<BytesView> find_bridges(const MosquittoDb& db) {
  std::map<BytesView, bool> subscribing;  // -> always as bridges do.
  for (const MosquittoSubscription& one : db.subscriptions) {
    const bool as_bridge = (one.options & bridge_options) == bridge_options;
    bool& always = subscribing.try_emplace(one.client, true).first->second;
    always = always && as_bridge;
  }
  std::set<BytesView> bridges;
  for (const MosquittoClient& client : db.clients) {
    if (client.expiry_s != 0) continue;
    const auto found = subscribing.find(client.id);
    const bool subscribes_so = found != subscribing.end() && found->second;
    if (subscribes_so || client.id.starts_with("local.")) bridges.insert(client.id);
  }
  return bridges;
}

class Importer {
 public:
  Importer(const MosquittoDb& db, KvStore& store, ImportTimes times, const ImportProgress& progress)
      : db_(db), store_(store), times_(times), progress_(progress) {}

  Result<ImportCounts> run();

 private:
  struct Target {
    std::uint16_t lane = 0;
    SessionNumber session = 0;
    std::vector<const MosquittoPlace*> queue, incoming;
    std::vector<const MosquittoSubscription*> subscriptions;
    const MosquittoClient* client = nullptr;
    bool is_bridge = false;
  };

  void sort_out();
  void add_session(Target& target);
  void add_filters(const Target& target);
  void add_queue(const Target& target);
  void add_incoming(const Target& target);
  void add_retained();
  MessageRef message_of(std::uint64_t id);
  bool is_over(const MosquittoMessage& message) const {
    return message.expires_at != 0 &&
           message.expires_at <= static_cast<std::int64_t>(times_.wall / 1000);
  }
  // A QoS 2 message whose delivery has begun goes on: its client may wait for PUBREL.
  bool is_over(const MosquittoPlace& place) const {
    return is_over(db_.message(place.message)) && !(place.qos == 2 && is_on_its_way(place));
  }
  void add(std::uint16_t lane, Body body);
  void commit();
  void step() {
    if (progress_) progress_(++done_, of_);
  }

  const MosquittoDb& db_;
  KvStore& store_;
  const ImportTimes times_;
  const ImportProgress& progress_;
  std::uint32_t incarnation_ = 0;
  std::map<BytesView, Target> targets_;
  std::vector<cluster::LaneLog> logs_;
  std::map<std::uint64_t, MessageRef> made_;
  std::vector<CommitUnit> units_;
  std::size_t unit_bytes_ = 0;
  std::uint64_t origins_ = 0;
  std::uint64_t journal_number_ = 1;
  std::uint64_t done_ = 0, of_ = 0;
  BridgesRow bridges_;
  Result<void> committed_;
  ImportCounts counts_;
};

void Importer::sort_out() {
  const std::set<BytesView> bridges = find_bridges(db_);
  for (const MosquittoClient& client : db_.clients) {
    const auto now = static_cast<std::int64_t>(times_.wall / 1000);
    const bool is_bridge = bridges.contains(client.id);
    if (client.expiry_s == 0 && !is_bridge) {
      counts_.leave(Left::ending_sessions);
    } else if (client.expires_at != 0 && client.expires_at <= now) {
      counts_.leave(Left::expired_sessions);
    } else {
      Target& target = targets_[client.id];
      target.client = &client;
      target.is_bridge = is_bridge;
    }
  }
  for (const MosquittoSubscription& one : db_.subscriptions) {
    const auto found = targets_.find(one.client);
    if (found == targets_.end()) {
      counts_.leave(Left::subscriptions);
    } else if (mqtt::is_shared(one.filter)) {
      counts_.leave(Left::shared_subscriptions);  // No mosquitto writes any (2.1.2).
    } else {
      found->second.subscriptions.push_back(&one);
    }
  }
  for (const MosquittoPlace& place : db_.places) {
    const auto found = targets_.find(place.client);
    if (found == targets_.end()) {
      counts_.leave(Left::queued_messages);
    } else if (place.qos == 0) {
      counts_.leave(Left::qos0_messages);
    } else if (place.incoming) {
      found->second.incoming.push_back(&place);
    } else if (is_over(place)) {
      counts_.leave(Left::expired_messages);
    } else {
      found->second.queue.push_back(&place);
    }
  }
  of_ = targets_.size() + db_.places.size() + db_.retained.size();
}

MessageRef Importer::message_of(std::uint64_t id) {
  MessageRef& made = made_[id];
  if (made) return made;
  const MosquittoMessage& from = db_.message(id);
  Bytes properties;
  mqtt::copy_properties_without(from.properties, mqtt::hop_properties, properties);
  MessageView view;
  view.origin = {times_.node, incarnation_, 0, ++origins_};
  view.stamp.received_at = times_.wall;
  if (from.expires_at != 0) view.expires_at = static_cast<StoreMillis>(from.expires_at) * 1000;
  view.qos = from.qos;
  view.retain = from.retain;
  view.sender = from.sender;
  view.topic = from.topic;
  view.properties = properties;
  view.payload = from.payload;
  made = Message::make(view);
  return made;
}

void Importer::add(std::uint16_t lane, Body body) {
  const cluster::LanePosition at = logs_[lane].reserve();
  Record record{{lane, at.term, at.index}, std::move(body)};
  CommitUnit unit;
  unit.ticket = lane;
  write_record(record, unit);
  unit_bytes_ += CommitBatch::own_bytes(unit) + (unit.message ? unit.message->size() : 0);
  units_.push_back(std::move(unit));
  if (unit_bytes_ >= batch_bytes) commit();
}

void Importer::commit() {
  if (!committed_ || units_.empty()) return;
  CommitBatch batch;
  for (const CommitUnit& unit : units_) batch.add(unit, static_cast<std::size_t>(unit.ticket));
  committed_ = store_.commit(batch.encode(journal_number_), Durability::written);
  journal_number_ += batch.entries();
  units_.clear();
  unit_bytes_ = 0;
}

void Importer::add_session(Target& target) {
  const MosquittoClient& client = *target.client;
  target.lane = cluster::lane_of(client.id);
  target.session = logs_[target.lane].next().packed();
  SessionRow row;
  row.number = target.session;  // No epoch: the first that connects owns it.
  row.expiry_s = target.is_bridge ? never_expires : client.expiry_s;
  row.created_at = row.changed_at = times_.wall;
  row.changed_wall = times_.wall;
  // Its time runs on from where it had got to.
  if (client.expires_at != 0) {
    const auto end = static_cast<std::uint64_t>(client.expires_at) * 1000;
    row.changed_at = std::min<StoreMillis>(
        times_.wall, end - std::min<std::uint64_t>(end, std::uint64_t{client.expiry_s} * 1000));
    row.changed_wall = row.changed_at;
  }
  add(target.lane, SessionPut{Bytes{client.id}, std::move(row), 0});
  ++counts_.sessions;
  if (!target.is_bridge) return;
  ++counts_.bridges;
  bridges_.bridges.push_back({Bytes{client.id}, Bytes{client.id}});
}

void Importer::add_filters(const Target& target) {
  FiltersPut put;
  put.session = target.session;
  for (const MosquittoSubscription* one : target.subscriptions) {
    const auto options = static_cast<std::uint8_t>(one->qos | (one->options & 0x3cu));
    put.filters.push_back({Bytes{one->filter}, options, one->id});
  }
  counts_.subscriptions += put.filters.size();
  if (!put.filters.empty()) add(target.lane, std::move(put));
}

void Importer::add_queue(const Target& target) {
  if (target.queue.empty()) return;
  QueueNumbers made = number_queue(target.queue);
  for (std::size_t i = 0; i < target.queue.size(); ++i) {
    const MosquittoPlace& place = *target.queue[i];
    Reference reference;
    reference.session = target.session;
    reference.number = made.numbers[i];
    reference.options = static_cast<std::uint8_t>(place.qos | (place.retain ? retain_flag : 0));
    if (place.subscription_id != 0) reference.subscription_ids = {place.subscription_id};
    const MessageRef message = message_of(place.message);
    add(target.lane, Enqueued{Message::encoded_of(message), {std::move(reference)}, false});
    ++counts_.queued;
    step();
  }
  counts_.sent_again += made.sent_again;
  add(target.lane, CursorPut{target.session, std::move(made.cursor)});
}

// QoS 2 that mosquitto has answered with PUBREC: its PUBREL will come to us.
void Importer::add_incoming(const Target& target) {
  for (const MosquittoPlace* place : target.incoming) {
    OutboxRow row;
    row.client_id = target.client->id;
    row.session = target.session;
    row.packet_id = place->packet_id;
    const MessageRef message = message_of(place->message);
    add(target.lane, OutboxPut{std::move(row), Message::encoded_of(message)});
    ++counts_.unreleased;
    step();
  }
}

void Importer::add_retained() {
  std::uint64_t version = std::uint64_t{incarnation_} << 40;
  for (const std::uint64_t id : db_.retained) {
    const MosquittoMessage& message = db_.message(id);
    step();
    const bool is_sys = message.topic.starts_with("$SYS/");
    if (is_sys || is_over(message)) {
      counts_.leave(is_sys ? Left::sys_messages : Left::expired_messages);
      continue;
    }
    if (message.payload.empty()) continue;  // That is none.
    CommitUnit unit;
    unit.ticket = cluster::lane_of(message.topic);
    write_retained(unit.rows, message.topic, ++version, message_of(id));
    unit_bytes_ += CommitBatch::own_bytes(unit);
    units_.push_back(std::move(unit));
    ++counts_.retained;
    if (unit_bytes_ >= batch_bytes) commit();
  }
}

Result<ImportCounts> Importer::run() {
  const auto node = begin_incarnation(store_, times_.node);
  if (!node) return node.error();
  incarnation_ = node->incarnation;
  logs_.assign(cluster::lane_count, cluster::LaneLog{incarnation_, 0});
  // Store time begins as the wall's, so that mosquitto's times are store times.
  Batch time;
  time.put(Family::meta, time_key, encode_row(TimeRow{times_.wall, times_.wall}));
  committed_ = store_.commit(time, Durability::written);
  sort_out();
  for (auto& [id, target] : targets_) {
    add_session(target);
    add_filters(target);
    add_queue(target);
    add_incoming(target);
    step();
  }
  add_retained();
  commit();
  if (!committed_) return committed_.error();
  // A start compares them with its configuration, and lists those that are not in it.
  if (!bridges_.bridges.empty()) time.put(Family::meta, bridges_key, encode_row(bridges_));
  const auto synced = store_.commit(time, Durability::synced);
  if (!synced) return synced.error();
  return counts_;
}

}  // namespace

Result<ImportCounts> import_rows(const MosquittoDb& db, storage::KvStore& store, ImportTimes times,
                                 const ImportProgress& progress) {
  return Importer{db, store, times, progress}.run();
}

}  // namespace naru::tools
