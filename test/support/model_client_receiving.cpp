// ModelClient's part that takes what the broker sends.

#include <algorithm>
#include <utility>

#include "broker/mqtt/encoder.hpp"
#include "storage/base/crc32c.hpp"
#include "test/support/model_client.hpp"

namespace naru::test {

using mqtt::DecodeError, mqtt::PacketType, mqtt::Qos, mqtt::ReasonCode, mqtt::Version;

void ModelClient::on_bytes(BytesView bytes, Instant now) {
  if (connection_.state == State::closed || connection_.wants_close) return;
  if (connection_.state == State::online) session_.alive_at = now;
  connection_.input.append(bytes);
  std::size_t used = 0;
  while (!connection_.wants_close) {
    mqtt::Frame frame;
    const auto framing = next_frame(BytesView{connection_.input}.substr(used), 0, frame);
    if (framing == mqtt::Framing::incomplete) break;
    if (framing != mqtt::Framing::complete) return fail("bytes that are no packet", now);
    on_frame(frame, now);
    used += frame.size;
  }
  connection_.input.erase(0, used);
  if (connection_.state == State::online) send_due_replies(now);
}

void ModelClient::on_frame(const mqtt::Frame& frame, Instant now) {
  const PacketType type = type_of(frame);
  if ((connection_.state == State::connecting) != (type == PacketType::connack))
    return fail("a packet before CONNACK, or a second CONNACK", now);
  if (connection_.state == State::leaving) return;  // On its way before our goodbye arrived.
  switch (type) {
    case PacketType::connack: return on_connack(frame, now);
    case PacketType::publish: return on_publish(frame, now);
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp: return on_ack(frame, now);
    case PacketType::suback:
    case PacketType::unsuback: return on_answer(frame, now);
    case PacketType::pingresp: return;
    case PacketType::disconnect: return close(now);
    default: return fail("a packet that only clients send", now);
  }
}

void ModelClient::on_connack(const mqtt::Frame& frame, Instant now) {
  mqtt::Connack connack;
  if (decode_connack(frame, options_.version, connack) != DecodeError::none)
    return fail("a malformed CONNACK", now);
  if (!connack.session_present && may_have_expired(now)) note(Event::session_unsure, now);
  Record got = record(Event::connack, now);
  got.reason = static_cast<std::uint8_t>(connack.reason);
  got.flags = bits({{connack.session_present, flag::present}});
  history_.add(got);
  connection_.will_open = options_.will.has_value();
  if (connack.reason != ReasonCode::success) {
    settle_will(Event::will_cancelled, now);
    return close(now);
  }
  connection_.state = State::online;
  session_.alive_at = now;
  connection_.server_window = connack.receive_maximum;
  if (!connack.session_present) {
    // The broker knows nothing of it: what was in flight keeps its unknown outcome.
    session_.outgoing.clear();
    forget_received();
  }
  for (Outgoing& entry : session_.outgoing) entry.sent = false;
  send_waiting(now);
}

void ModelClient::on_publish(const mqtt::Frame& frame, Instant now) {
  mqtt::Publish publish;
  if (decode_publish(frame, options_.version, publish) != DecodeError::none)
    return fail("a malformed PUBLISH", now);
  if (publish.topic.empty()) return fail("a topic alias we never allowed", now);
  Record got = record(Event::received, now);
  got.text = history_.intern(publish.topic);
  got.qos = static_cast<std::uint8_t>(publish.qos);
  got.packet_id = publish.packet_id;
  got.number = crc32c(publish.payload);
  const bool empty = publish.payload.empty();
  const bool intact = empty || parse_payload(publish.payload, publish.topic, got.message);
  const bool exactly_once = publish.qos == Qos::exactly_once;
  const bool again = exactly_once && !hold(publish.packet_id, got);
  got.flags = bits({{publish.dup, flag::dup},
                    {publish.retain, flag::retain},
                    {empty, flag::cleared},
                    {!intact, flag::broken},
                    {again, flag::again}});
  history_.add(got);
  if (publish.qos == Qos::at_most_once) return;
  const auto type = exactly_once ? PacketType::pubrec : PacketType::puback;
  connection_.replies.push_back({now + options_.ack_delay, type, publish.packet_id});
}

// False: it is held already. Of a doubtful session only the message itself tells that it lives on.
bool ModelClient::hold(mqtt::PacketId id, const Record& received) {
  const auto entry = std::pair{received.text, received.message};
  const auto doubtful = session_.doubtful.find(id);
  const bool lives_on = doubtful != session_.doubtful.end() && doubtful->second == entry;
  return session_.held.emplace(id, entry).second && !lives_on;
}

void ModelClient::forget_received() {
  session_.held.clear();
  session_.doubtful.clear();
}

void ModelClient::on_ack(const mqtt::Frame& frame, Instant now) {
  mqtt::Ack ack;
  if (decode_ack(frame, options_.version, ack) != DecodeError::none)
    return fail("a malformed acknowledgement", now);
  const PacketType type = type_of(frame);
  if (type == PacketType::pubrel) {
    session_.held.erase(ack.packet_id);
    session_.doubtful.erase(ack.packet_id);
    connection_.replies.push_back({now + options_.ack_delay, PacketType::pubcomp, ack.packet_id});
    return;
  }
  const auto entry = std::ranges::find(session_.outgoing, ack.packet_id, &Outgoing::packet_id);
  const bool twice = entry != session_.outgoing.end() && entry->publish.qos == Qos::exactly_once;
  if (entry == session_.outgoing.end() || !entry->sent || twice == (type == PacketType::puback))
    return fail("an acknowledgement of what is not in flight: " + std::string(name(type)) + " of " +
                    std::to_string(ack.packet_id),
                now);
  if (type == PacketType::pubcomp && !entry->released) return fail("PUBCOMP before PUBREL", now);
  Record got = record(Event::puback, now);
  if (type == PacketType::pubrec) got.event = Event::pubrec;
  if (type == PacketType::pubcomp) got.event = Event::pubcomp;
  got.message = entry->id;
  got.packet_id = ack.packet_id;
  got.reason = static_cast<std::uint8_t>(ack.reason);
  history_.add(got);
  if (type == PacketType::pubrec && !is_failure(ack.reason)) {
    entry->released = true;
    send_publish(*entry, now);
    return;
  }
  session_.outgoing.erase(entry);
  send_waiting(now);
}

void ModelClient::on_answer(const mqtt::Frame& frame, Instant now) {
  const bool suback = type_of(frame) == PacketType::suback;
  mqtt::Suback granted;
  mqtt::Unsuback dropped;
  const DecodeError error = suback ? decode_suback(frame, options_.version, granted)
                                   : decode_unsuback(frame, options_.version, dropped);
  if (error != DecodeError::none) return fail("a malformed SUBACK or UNSUBACK", now);
  const auto request = connection_.requests.find(suback ? granted.packet_id : dropped.packet_id);
  if (request == connection_.requests.end() || request->second.type != type_of(frame))
    return fail("an answer to what was not asked", now);
  const mqtt::ReasonCodes& codes = suback ? granted.codes : dropped.codes;
  if (codes.size() != (suback || options_.version == Version::v5 ? 1 : 0))
    return fail("an answer for other filters", now);
  Record got = record(suback ? Event::suback : Event::unsuback, now);
  got.text = request->second.filter;
  if (codes.size() == 1) got.reason = static_cast<std::uint8_t>(*codes.begin());
  history_.add(got);
  connection_.requests.erase(request);
}

}  // namespace naru::test
