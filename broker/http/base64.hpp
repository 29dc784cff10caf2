// broker/http/base64.hpp
//
// Base64 in its two alphabets: with padding for payloads, URL-safe without padding for tokens.
//
// Sans-IO; pure. Lives on any thread. Spec: RFC 4648 sections 4 and 5.
#pragma once

#include <optional>

#include "storage/base/bytes.hpp"

namespace naru::broker {

Bytes encode_base64(BytesView bytes);
Bytes encode_base64url(BytesView bytes);
// Nothing where encode_base64url() could not have made the text.
std::optional<Bytes> decode_base64url(BytesView text);

}  // namespace naru::broker
