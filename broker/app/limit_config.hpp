// broker/app/limit_config.hpp
//
// LimitConfig is how much clients may ask of the broker: their connections, and what comes over
// them. Its table is in limit_options.cpp; deploy/guide/limits.md tells it in words.
//
// Sans-IO. A value, part of Config.
#pragma once

#include <cstdint>
#include <vector>

#include "broker/session/client_limits.hpp"
#include "storage/base/clock.hpp"
#include "storage/base/options.hpp"

namespace naru::broker {

// In the order of the words in the table.
enum class OnClientRate : std::uint8_t { wait, disconnect };

struct LimitConfig {
  std::int64_t max_connections = -1;          // Of all listeners together; -1: no limit.
  std::uint32_t connections_per_address = 0;  // 0: no limit, as with the next two.
  std::uint32_t connection_rate = 0;
  std::uint32_t connection_rate_per_address = 0;
  Millis connect_timeout{0};               // Never 0 once read.
  std::uint32_t client_subscriptions = 0;  // Never 0 once read, as the next.
  std::uint16_t filter_levels = 0;
  std::uint32_t client_publish_rate = 0;  // A second; 0: no limit, as with the next.
  std::uint32_t client_byte_rate = 0;
  OnClientRate on_client_rate = OnClientRate::wait;
  std::uint64_t memory_limit = 0;  // In bytes; 0: nine tenths of what there is.

  bool operator==(const LimitConfig&) const = default;
};

ClientLimits client_limits(const LimitConfig& config);

struct Config;
std::vector<OptionRow<Config>> with_limit_options(std::vector<OptionRow<Config>> rows);

}  // namespace naru::broker
