#pragma once

// Private to libtrove/identity: the two text forms that NATS uses for bytes.

#include <optional>
#include <string>
#include <string_view>

namespace trove::identity {

/// RFC 4648 base32, upper case, without padding.
std::string Base32(std::string_view bytes);

/// Empty when `text` is not exactly what Base32 writes.
std::optional<std::string> FromBase32(std::string_view text);

/// RFC 4648 base64 for URLs, without padding.
std::string Base64Url(std::string_view bytes);

/// Empty when `text` is not exactly what Base64Url writes.
std::optional<std::string> FromBase64Url(std::string_view text);

}  // namespace trove::identity
