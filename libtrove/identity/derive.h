#pragma once

#include <string_view>

#include "libtrove/base/secret.h"

namespace trove::identity {

/// A secret made from a key for one purpose, the same each time, which tells nothing of the key and
/// is written down nowhere: HMAC-SHA256 (RFC 2104) of `purpose`, 64 lower-case hex characters. Two
/// purposes give unrelated secrets.
Secret DeriveSecret(const Secret& key, std::string_view purpose);

}  // namespace trove::identity
