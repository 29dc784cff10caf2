// broker/http/command_request.hpp
//
// What may be asked of a device, checked, and how a command is told.
//
// Sans-IO; pure. Lives on any thread. Bounded by the sizes below and the server's limit on bodies.
#pragma once

#include "broker/http/json_text.hpp"
#include "storage/base/result.hpp"
#include "storage/tables/records.hpp"

namespace naru::broker {

inline constexpr std::size_t command_name_max = 256;
inline constexpr std::size_t command_id_max = 256;
inline constexpr std::uint64_t command_expiry_s_default = 60;
inline constexpr std::uint64_t command_expiry_s_max = 366u * 24 * 3600;

struct CommandRequest {
  Bytes name;
  Bytes payload;  // JSON text.
  Bytes id;       // Empty: none was given.
  std::uint64_t expires_s = command_expiry_s_default;
};

Result<CommandRequest> parse_command(BytesView body);

// Both become levels of topics, so neither may hold what has a meaning there.
Result<void> check_device(BytesView device);
Result<void> check_command_id(BytesView id);

Json command_json(const storage::CommandRow& row);

}  // namespace naru::broker
