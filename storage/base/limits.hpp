// storage/base/limits.hpp
//
// Every hard upper bound of the program, each with its reason. What an operator may choose is an
// option (broker/app/config.hpp); these hold whatever the configuration says.
//
// Sans-IO constants.
#pragma once

#include <cstddef>
#include <cstdint>

namespace naru::limits {

// -- MQTT: what one client may say ---------------------------------------------------------------
// The largest packet MQTT can express: 5 bytes of header and 2^28 - 1 behind them.
inline constexpr std::uint32_t packet_bytes = 268'435'460;
// No option below this: a CONNECT with a short client id must fit.
inline constexpr std::uint32_t packet_bytes_least = 20;
// A CONNECT before anybody knows who it is: will, credentials and a token, and no more.
inline constexpr std::uint32_t connect_packet_bytes = 256 * 1024;
// MQTT's own bound for every string and block of binary data.
inline constexpr std::size_t string_bytes = 65'535;
// MQTT allows 65,535; ids are kept in memory per session and stand in keys, so we cap them.
inline constexpr std::size_t client_id_bytes = 1024;
// MQTT allows 65,535; a topic is a key of the retained table and a path of the filter index.
inline constexpr std::size_t topic_bytes = 4096;
// Matching walks one step a level, so levels bound its work and its stack. Filters have the same.
inline constexpr std::size_t topic_levels = 128;
inline constexpr std::size_t filter_levels = topic_levels;
// All properties of one packet; they are kept with a message as they came.
inline constexpr std::size_t property_bytes = 64 * 1024;
inline constexpr std::size_t user_properties = 256;
// Filters in one SUBSCRIBE or UNSUBSCRIBE, and in one session.
inline constexpr std::size_t filters_per_packet = 1024;
inline constexpr std::size_t filters_per_session = 10'000;
// The longest delay of a publish, some 49 days. It is EMQX's, so that what clients send there they
// can send here.
inline constexpr std::uint32_t delay_seconds = 4'294'967;
// Delayed publishes of a shard that are read back and published at a time.
inline constexpr std::size_t delayed_at_once = 64;
// Our Topic Alias Maximum: each remembered alias costs a topic in memory per connection.
inline constexpr std::uint16_t topic_aliases = 64;

// -- Connections and sessions --------------------------------------------------------------------
// Packet ids of queued messages are 1 + queue number mod this; the rest belongs to the front.
inline constexpr std::uint16_t queued_packet_ids = 32'767;
// Inbound QoS 1 and 2 publishes of one connection that wait for their commit (Receive Maximum).
inline constexpr std::uint16_t inbound_window = 1024;
// Messages of a group that one member may hold; the others wait for whoever is free first.
inline constexpr std::uint16_t lent_at_once = 64;
// One lane's sessions: 256 lanes of these are 16 million clients, beyond any memory we run in.
inline constexpr std::size_t sessions_per_lane = 65'536;

// Clients whose passwords wait for a thread that may take its time; further ones are told to come
// again, which costs less than to keep them.
inline constexpr std::size_t waiting_admissions = 1'024;
// Questions to the operator's service under way or waiting; what is beyond counts as no answer.
inline constexpr std::size_t http_calls = 4'096;
// Its answers, some 100 bytes each; and those a connection has at hand.
inline constexpr std::size_t remembered_answers = 65'536;
inline constexpr std::size_t known_rights = 64;
// A message of SCRAM: a name, two nonces and a proof.
inline constexpr std::size_t scram_message_bytes = 4 * 1024;
// A token as password; those of large identity providers have some 4 KiB.
inline constexpr std::size_t token_bytes = 16 * 1024;
// Public keys that are valid at a time; a signature may have to be tried with each.
inline constexpr std::size_t token_keys = 16;
inline constexpr std::size_t token_key_file_bytes = 256 * 1024;

// TLS handshakes that can go on and wait for their turn, in a shard; a second's worth.
inline constexpr std::size_t waiting_handshakes = 1'024;
// What a client may send before its TLS handshake is done; a long chain of certificates fits.
inline constexpr std::size_t handshake_bytes = 128 * 1024;
// The HTTP request that asks for a WebSocket; browsers send cookies along.
inline constexpr std::size_t upgrade_bytes = 16 * 1024;
// A PROXY header with its extensions, among them the common name of a certificate.
inline constexpr std::size_t proxy_header_bytes = 4 * 1024;
// sockaddr_un's path without its final zero.
inline constexpr std::size_t unix_path_bytes = 107;

// -- Storage -------------------------------------------------------------------------------------
// Lanes are fixed when a cluster is created; keys carry the lane in one byte.
inline constexpr std::size_t lanes = 256;
// A thread each, and each holds buffers; more threads than this never paid.
inline constexpr std::size_t shards = 64;
// What the committer takes into one commit, so that one sync stays short.
inline constexpr std::size_t commit_bytes = 1024 * 1024;
// Bytes handed to the committer and not answered, per shard; beyond, its publishers wait.
inline constexpr std::size_t uncommitted_bytes_per_shard = 32 * 1024 * 1024;

// -- Configuration, rules and streams
// --------------------------------------------------------------
inline constexpr std::size_t config_file_bytes = 4 * 1024 * 1024;
inline constexpr std::size_t password_file_bytes = 256 * 1024 * 1024;
inline constexpr std::size_t acl_file_bytes = 64 * 1024 * 1024;
// What a certificate or a token says of a client, and a pattern of an acl_file may name: more is no
// level of a topic that anybody would choose.
inline constexpr std::size_t policy_value_bytes = 256;
// A rule is matched like a session; a hundred are many.
inline constexpr std::size_t rules = 1024;
inline constexpr std::size_t streams = 256;
// A key stands in every record of a stream.
inline constexpr std::size_t stream_key_bytes = 512;

// -- Log
// ------------------------------------------------------------------------------------------- One
// value of one field; the rest is cut, because clients choose some of them.
inline constexpr std::size_t log_value_bytes = 256;

}  // namespace naru::limits
