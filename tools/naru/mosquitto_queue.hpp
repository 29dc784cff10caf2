// tools/naru/mosquitto_queue.hpp
//
// QueueNumbers is where the messages that mosquitto has for one client stand in our queue. A packet
// id follows from its number, so what is on its way gets numbers that keep its id; those between
// are said to be done.
//
// Sans-IO; a value and functions. Lives on one thread.
// Bounded by: the places, and one turn of packet ids between the first and the last that keeps its.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/tables/session_records.hpp"
#include "tools/naru/mosquitto_db.hpp"

namespace naru::tools {

struct QueueNumbers {
  std::vector<std::uint64_t> numbers;  // One for each place, ascending.
  storage::CursorRow cursor;
  // QoS 2 messages on their way under ids that we do not use: they are sent again under others,
  // and their client may take them for new.
  std::uint64_t sent_again = 0;
};

// The client may have it, under its packet id.
bool is_on_its_way(const MosquittoPlace& place);

// REQUIRES: places of one client in their order, QoS 1 or 2, not incoming.
QueueNumbers number_queue(const std::vector<const MosquittoPlace*>& places);

}  // namespace naru::tools
