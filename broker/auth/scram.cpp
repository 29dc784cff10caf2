#include "broker/auth/scram.hpp"

#include <algorithm>

#include "broker/auth/digest.hpp"
#include "storage/base/base64.hpp"
#include "storage/base/check.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

struct ClientFirst {
  BytesView header;  // gs2-header, with both of its commas.
  BytesView bare;
  Bytes user;
  BytesView nonce;
};

// The value behind `name` and '=', up to a comma, which goes as well.
std::optional<BytesView> take_value(BytesView& text, char name) {
  if (text.size() < 2 || text[0] != name || text[1] != '=') return std::nullopt;
  const BytesView value = text.substr(2, text.find(',') - 2);
  text.remove_prefix(std::min(value.size() + 3, text.size()));
  return value;
}

// saslname of RFC 5802: '=' and ',' stand in it as =3D and =2C, and nowhere else.
std::optional<Bytes> name_of(BytesView text) {
  Bytes name;
  while (!text.empty()) {
    if (text.front() == '\0') return std::nullopt;
    if (text.front() != '=') {
      name.push_back(text.front());
      text.remove_prefix(1);
      continue;
    }
    const BytesView code = text.substr(0, 3);
    if (code != "=2C" && code != "=3D") return std::nullopt;
    name.push_back(code == "=2C" ? ',' : '=');
    text.remove_prefix(3);
  }
  if (name.empty()) return std::nullopt;
  return name;
}

bool is_nonce(BytesView text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

std::optional<ClientFirst> read_client_first(BytesView text) {
  if (text.size() > limits::scram_message_bytes) return std::nullopt;
  // 'p' asks for channel binding, which we never offer.
  if (!text.starts_with("n,") && !text.starts_with("y,")) return std::nullopt;
  const std::size_t end = text.find(',', 2);
  if (end == BytesView::npos) return std::nullopt;
  ClientFirst found;
  found.header = text.substr(0, end + 1);
  found.bare = text.substr(end + 1);
  BytesView rest = found.bare;
  const auto user = take_value(rest, 'n');
  const auto nonce = take_value(rest, 'r');  // Extensions may follow; we know none.
  if (!user || !nonce || !is_nonce(*nonce)) return std::nullopt;
  auto name = name_of(*user);
  if (!name) return std::nullopt;
  BytesView authorized = text.substr(2, end - 2);  // As whom to act, where it is not the user.
  if (!authorized.empty()) {
    const auto as = take_value(authorized, 'a');
    if (!as || name_of(*as) != name) return std::nullopt;
  }
  found.user = std::move(*name);
  found.nonce = *nonce;
  return found;
}

Bytes xor_of(BytesView a, BytesView b) {
  Bytes out{a};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
  return out;
}

}  // namespace

ScramKeys make_scram_keys(BytesView password, BytesView salt, std::uint32_t iterations) {
  const Bytes salted = pbkdf2_sha256(password, salt, iterations);
  return {Bytes{salt}, iterations, sha256(hmac_sha256(salted, "Client Key")),
          hmac_sha256(salted, "Server Key")};
}

bool is_password(const ScramKeys& keys, BytesView password) {
  return is_same(make_scram_keys(password, keys.salt, keys.iterations).stored_key, keys.stored_key);
}

std::optional<Bytes> ScramServer::user_of(BytesView client_first) {
  auto found = read_client_first(client_first);
  if (!found) return std::nullopt;
  return std::move(found->user);
}

Bytes ScramServer::challenge(BytesView client_first, ScramKeys keys, BytesView nonce) {
  NARU_CHECK(state_ == State::fresh);
  const auto first = read_client_first(client_first);
  NARU_CHECK(first.has_value());
  state_ = State::challenged;
  keys_ = std::move(keys);
  header_ = first->header;
  nonce_ = first->nonce;
  nonce_.append(nonce);
  const Bytes text =
      "r=" + nonce_ + ",s=" + encode_base64(keys_.salt) + ",i=" + std::to_string(keys_.iterations);
  exchanged_ = Bytes{first->bare} + "," + text;
  return text;
}

std::optional<Bytes> ScramServer::verify(BytesView client_final) {
  const bool expected = state_ == State::challenged;
  state_ = State::failed;
  if (!expected || client_final.size() > limits::scram_message_bytes) return std::nullopt;
  const std::size_t proof_at = client_final.rfind(",p=");
  if (proof_at == BytesView::npos) return std::nullopt;
  const BytesView without_proof = client_final.substr(0, proof_at);
  const auto proof = decode_base64(client_final.substr(proof_at + 3));
  BytesView rest = without_proof;
  const auto header = take_value(rest, 'c');
  const auto nonce = take_value(rest, 'r');
  if (!proof || proof->size() != sha256_bytes || !header || !nonce) return std::nullopt;
  if (*header != encode_base64(header_) || *nonce != nonce_) return std::nullopt;
  const Bytes all = exchanged_ + "," + Bytes{without_proof};
  const Bytes client_key = xor_of(*proof, hmac_sha256(keys_.stored_key, all));
  if (!is_same(sha256(client_key), keys_.stored_key)) return std::nullopt;
  state_ = State::done;
  return "v=" + encode_base64(hmac_sha256(keys_.server_key, all));
}

}  // namespace naru::broker
