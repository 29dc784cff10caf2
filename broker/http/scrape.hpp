// broker/http/scrape.hpp
//
// gather_scrape() asks all shards, lanes and the store for what they have counted.
//
// Edge: a coroutine on shard 0. Bounded as LaneTally is.
#pragma once

#include "broker/http/control.hpp"
#include "broker/http/metrics.hpp"

namespace naru::broker {

awaitable<Scrape> gather_scrape(Control* control);

}  // namespace naru::broker
