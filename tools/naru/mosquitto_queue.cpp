// tools/naru/mosquitto_queue.cpp
#include "tools/naru/mosquitto_queue.hpp"

#include "storage/base/limits.hpp"

namespace naru::tools {
namespace {

constexpr std::uint64_t ids = limits::queued_packet_ids;  // Number n has id 1 + n % ids.

bool has_id_of_ours(const MosquittoPlace& place) {
  return is_on_its_way(place) && place.packet_id <= ids;
}

// PUBREC has come: PUBREL is owed, PUBLISH never again.
bool is_released(const MosquittoPlace& place) {
  return place.state == MosquittoState::pubcomp || place.state == MosquittoState::resend_pubrel;
}

// The first number with this id, from that one on.
std::uint64_t number_with(std::uint16_t id, std::uint64_t from) {
  return from + (id - 1u + ids - from % ids) % ids;
}

// Such that the first place that can keep its id does, and those before it stand right before it.
std::uint64_t first_number(const std::vector<const MosquittoPlace*>& places) {
  for (std::size_t i = 0; i < places.size() && is_on_its_way(*places[i]); ++i) {
    if (has_id_of_ours(*places[i])) return number_with(places[i]->packet_id, i + 1) - i;
  }
  return 1;
}

}  // namespace

bool is_on_its_way(const MosquittoPlace& place) {
  return place.packet_id != 0 && place.state != MosquittoState::queued;
}

QueueNumbers number_queue(const std::vector<const MosquittoPlace*>& places) {
  const std::uint64_t first = first_number(places);
  QueueNumbers made;
  made.cursor.acked_through = made.cursor.sent_through = first - 1;
  std::uint64_t next = first;
  for (const MosquittoPlace* place : places) {
    std::uint64_t number = next;
    bool keeps_id = false;
    if (has_id_of_ours(*place)) {
      const std::uint64_t wished = number_with(place->packet_id, next);
      keeps_id = wished - first < ids;  // Further on no id is sent before the first is free.
      if (keeps_id) number = wished;
    }
    for (; next < number; ++next) made.cursor.done.push_back(next);
    next = number + 1;
    made.numbers.push_back(number);
    if (!is_on_its_way(*place)) continue;
    made.cursor.sent_through = number;
    if (keeps_id && is_released(*place)) made.cursor.released.push_back(number);
    if (!keeps_id && place->qos == 2) ++made.sent_again;
  }
  return made;
}

}  // namespace naru::tools
