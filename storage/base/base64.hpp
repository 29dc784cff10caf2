// storage/base/base64.hpp
//
// Base64 in its two alphabets: with padding, and URL-safe without padding.
//
// Sans-IO; pure. Lives on any thread. Spec: RFC 4648 sections 4 and 5.
#pragma once

#include <optional>

#include "storage/base/bytes.hpp"

namespace naru {

Bytes encode_base64(BytesView bytes);
// Nothing where encode_base64() could not have made the text.
std::optional<Bytes> decode_base64(BytesView text);
Bytes encode_base64url(BytesView bytes);
// Nothing where encode_base64url() could not have made the text.
std::optional<Bytes> decode_base64url(BytesView text);

}  // namespace naru
