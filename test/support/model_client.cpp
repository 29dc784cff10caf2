#include "test/support/model_client.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "broker/mqtt/encoder.hpp"
#include "storage/base/check.hpp"
#include "storage/base/crc32c.hpp"

namespace naru::test {

using mqtt::DecodeError, mqtt::PacketType, mqtt::Qos, mqtt::ReasonCode, mqtt::Version;

namespace {
constexpr std::uint32_t never_expires = 0xffffffff;
}  // namespace

// Of flag: those whose condition holds.
std::uint16_t ModelClient::bits(std::initializer_list<std::pair<bool, std::uint16_t>> conditions) {
  std::uint16_t sum = 0;
  for (const auto& [holds, bit] : conditions)
    if (holds) sum = static_cast<std::uint16_t>(sum | bit);
  return sum;
}

ModelClient::ModelClient(ModelOptions options, History& history)
    : options_(std::move(options)), history_(history) {}

bool ModelClient::is_persistent() const {
  return options_.version == Version::v5 ? options_.session_expiry > 0 : !options_.clean_start;
}

Record ModelClient::record(Event event, Instant now) const {
  Record record;
  record.at = now;
  record.event = event;
  record.client = options_.number;
  record.connection = connection_.number;
  return record;
}

void ModelClient::note(Event event, Instant now) { history_.add(record(event, now)); }

Bytes ModelClient::take_output() { return std::exchange(connection_.output, {}); }
// --- opening and closing -------------------------------------------------------------------

void ModelClient::on_open(Instant now) {
  if (connection_.state != State::closed) on_closed(ClosedBy::broken, now);
  if (may_have_expired(now + Seconds{1})) {
    note(Event::session_unsure, now);
    session_.held.merge(session_.doubtful);  // Of two under one packet id, the newer.
    session_.doubtful = std::exchange(session_.held, {});
  }
  const std::uint32_t number = std::exchange(connection_, {}).number + 1;
  connection_.number = number;
  connection_.state = State::connecting;
  send_connect(now);
}

// Close to its end, or behind it, the broker's clock decides; a crash may have stopped it.
bool ModelClient::may_have_expired(Instant now) const {
  const bool expires = options_.version == Version::v5 && options_.session_expiry != never_expires;
  return is_persistent() && expires && session_.alive_at != Instant::never() &&
         now - session_.alive_at >= Seconds{options_.session_expiry};
}

void ModelClient::send_connect(Instant now) {
  mqtt::Connect connect;
  connect.version = options_.version;
  connect.clean_start = options_.clean_start;
  if (options_.clean_start) forget_received();  // Whether the answer comes or not.
  connect.keep_alive = options_.keep_alive;
  connect.client_id = options_.client_id;
  connect.session_expiry_interval = options_.session_expiry;
  connect.receive_maximum = options_.receive_maximum;
  Bytes will_payload;
  if (options_.will) {
    const ModelWill& will = *options_.will;
    will_payload = payload_of(will_id(), will.topic, 0);
    connect.will.emplace();
    connect.will->topic = will.topic;
    connect.will->payload = will_payload;
    connect.will->qos = will.qos;
    connect.will->retain = will.retain;
    connect.will->delay_interval = will.delay;
  }
  encode(connect, connection_.output);
  connection_.last_sent = now;
  Record sent = record(Event::connect_sent, now);
  sent.text = history_.intern(options_.client_id);
  sent.flags =
      bits({{options_.clean_start, flag::clean_start}, {is_persistent(), flag::persistent}});
  sent.number = options_.version == Version::v5 ? options_.receive_maximum : 65'535;
  history_.add(sent);
  if (!options_.will) return;
  Record will = record(Event::will_registered, now);
  will.message = will_id();
  will.text = history_.intern(options_.will->topic);
  will.qos = static_cast<std::uint8_t>(options_.will->qos);
  will.flags = bits({{options_.will->retain, flag::retain}});
  history_.add(will);
}

void ModelClient::on_closed(ClosedBy by, Instant now) {
  if (connection_.state == State::closed) return;
  const bool goodbye = connection_.state == State::leaving && by == ClosedBy::peer;
  note(Event::connection_lost, now);
  if (goodbye) settle_will(Event::will_cancelled, now);
  // Whether the broker saw a goodbye it did not answer stays unknown.
  if (connection_.state == State::leaving) connection_.will_open = false;
  connection_.state = State::closed;
  connection_.wants_close = false;
  connection_.output.clear();
  connection_.input.clear();
  connection_.replies.clear();
  connection_.requests.clear();
}

void ModelClient::vanish(Instant now) {
  const bool accepted = connection_.state == State::online;
  on_closed(ClosedBy::broken, now);
  if (accepted && options_.will && options_.will->delay == 0) retire(now);
}

void ModelClient::retire(Instant now) {
  NARU_CHECK(connection_.state == State::closed);
  settle_will(Event::will_due, now);
}

MessageId ModelClient::will_id() const {
  return MessageId::will_of(options_.number, connection_.number);
}

void ModelClient::settle_will(Event fate, Instant now) {
  if (!connection_.will_open) return;
  Record settled = record(fate, now);
  settled.message = will_id();
  history_.add(settled);
  connection_.will_open = false;
}

bool ModelClient::disconnect(Instant now) {
  if (connection_.state != State::online) return false;
  encode(mqtt::Disconnect{}, options_.version, connection_.output);
  connection_.state = State::leaving;
  connection_.replies.clear();
  note(Event::disconnect_sent, now);
  return true;
}

void ModelClient::close(Instant now) {
  connection_.wants_close = true;
  connection_.last_sent = now;
}

void ModelClient::fail(std::string_view what, Instant now) {
  Record error = record(Event::protocol_error, now);
  error.text = history_.intern(what);
  history_.add(error);
  close(now);
}

// --- time --------------------------------------------------------------------------------

Instant ModelClient::next_deadline() const {
  if (connection_.state != State::online) return Instant::never();
  Instant next = Instant::never();
  if (!connection_.replies.empty()) next = connection_.replies.front().due;
  if (options_.keep_alive > 0)
    next = std::min(next, connection_.last_sent + Seconds{options_.keep_alive});
  return next;
}

void ModelClient::on_time(Instant now) {
  if (connection_.state != State::online) return;
  send_due_replies(now);
  if (options_.keep_alive > 0 && now >= connection_.last_sent + Seconds{options_.keep_alive}) {
    encode(mqtt::Pingreq{}, options_.version, connection_.output);
    connection_.last_sent = now;
  }
}

void ModelClient::send_due_replies(Instant now) {
  auto& replies = connection_.replies;
  while (!replies.empty() && replies.front().due <= now) {
    const Reply reply = replies.front();
    replies.pop_front();
    encode_ack(connection_.output, options_.version, reply.type, reply.packet_id,
               ReasonCode::success);
    connection_.last_sent = now;
    if (reply.type == PacketType::pubrec) continue;
    Record sent = record(Event::ack_sent, now);
    sent.packet_id = reply.packet_id;
    history_.add(sent);
  }
}

// --- sending -----------------------------------------------------------------------------

bool ModelClient::has_room() const {
  return connection_.state == State::online &&
         session_.outgoing.size() < std::min(options_.window, connection_.server_window);
}

bool ModelClient::is_idle() const {
  return session_.outgoing.empty() && session_.held.empty() && connection_.replies.empty() &&
         connection_.requests.empty();
}

mqtt::PacketId ModelClient::next_id() {
  const auto is_used = [this](mqtt::PacketId id) {
    if (connection_.requests.count(id) != 0) return true;
    return std::any_of(session_.outgoing.begin(), session_.outgoing.end(),
                       [id](const Outgoing& entry) { return entry.packet_id == id; });
  };
  do {
    ++session_.last_id;
  } while (session_.last_id == 0 || is_used(session_.last_id));
  return session_.last_id;
}

std::optional<MessageId> ModelClient::publish(const ModelPublish& publish, Instant now) {
  const bool counted = publish.qos != Qos::at_most_once;
  if (connection_.state != State::online || (counted && !has_room())) return std::nullopt;
  Outgoing entry;
  entry.id = {options_.number, ++session_.counter};
  entry.topic = history_.intern(publish.topic);
  entry.publish = publish;
  entry.publish.topic = {};
  if (counted) entry.packet_id = next_id();
  if (counted) {
    session_.outgoing.push_back(entry);
    send_publish(session_.outgoing.back(), now);
  } else {
    send_publish(entry, now);
  }
  return entry.id;
}

void ModelClient::send_publish(Outgoing& entry, Instant now) {
  entry.sent = true;
  connection_.last_sent = now;
  if (entry.released) {
    encode_ack(connection_.output, options_.version, PacketType::pubrel, entry.packet_id,
               ReasonCode::success);
    return;
  }
  const ModelPublish& publish = entry.publish;
  const std::string& topic = history_.text(entry.topic);
  const bool repeated = entry.first_connection != 0;
  if (!repeated) entry.first_connection = connection_.number;
  mqtt::PublishHead head;
  head.dup = repeated;
  head.qos = publish.qos;
  head.retain = publish.retain;
  head.packet_id = entry.packet_id;
  head.expiry = publish.expiry;
  Bytes payload = publish.body;
  if (payload.empty() && !publish.clear) payload = payload_of(entry.id, topic, publish.size);
  encode_publish(connection_.output, options_.version, head, topic, {}, payload);
  Record sent = record(Event::publish_sent, now);
  sent.message = entry.id;
  sent.text = entry.topic;
  sent.qos = static_cast<std::uint8_t>(publish.qos);
  sent.packet_id = entry.packet_id;
  sent.flags = bits({{repeated, flag::dup},
                     {publish.retain, flag::retain},
                     {publish.clear, flag::cleared},
                     {publish.expiry.has_value(), flag::may_expire}});
  history_.add(sent);
}

// Sends, in the original order, what this connection has not seen yet and the window allows.
void ModelClient::send_waiting(Instant now) {
  std::size_t in_flight = 0;
  for (Outgoing& entry : session_.outgoing) {
    if (!entry.sent && in_flight >= connection_.server_window) return;
    if (!entry.sent) send_publish(entry, now);
    ++in_flight;
  }
}

bool ModelClient::subscribe(const ModelSubscribe& subscribe, Instant now) {
  if (connection_.state != State::online) return false;
  mqtt::SubscribeEntry entry;
  entry.filter = subscribe.filter;
  entry.qos = subscribe.qos;
  entry.no_local = subscribe.no_local;
  Bytes raw;
  append_entry(raw, entry);
  mqtt::Subscribe packet;
  packet.packet_id = next_id();
  packet.entries = mqtt::SubscribeEntries{raw};
  encode(packet, options_.version, connection_.output);
  connection_.last_sent = now;
  Record sent = record(Event::subscribe_sent, now);
  sent.text = history_.intern(subscribe.filter);
  sent.qos = static_cast<std::uint8_t>(subscribe.qos);
  sent.flags = bits({{subscribe.no_local, flag::no_local}});
  history_.add(sent);
  connection_.requests[packet.packet_id] = {sent.text, PacketType::suback};
  return true;
}

bool ModelClient::unsubscribe(std::string_view filter, Instant now) {
  if (connection_.state != State::online) return false;
  Bytes raw;
  mqtt::append_filter(raw, filter);
  mqtt::Unsubscribe packet;
  packet.packet_id = next_id();
  packet.filters = mqtt::Filters{raw};
  encode(packet, options_.version, connection_.output);
  connection_.last_sent = now;
  Record sent = record(Event::unsubscribe_sent, now);
  sent.text = history_.intern(filter);
  history_.add(sent);
  connection_.requests[packet.packet_id] = {sent.text, PacketType::unsuback};
  return true;
}

}  // namespace naru::test
