#pragma once

// Private to libtrove/identity.

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "libtrove/base/secret.h"

namespace trove::identity {

inline constexpr std::size_t kAeadKeyBytes = 32;
inline constexpr std::size_t kAeadNonceBytes = 12;
inline constexpr std::size_t kAeadTagBytes = 16;

/// AES-256-GCM: the ciphertext, then the tag. A nonce is used once with a key.
absl::StatusOr<std::string> AeadSeal(const Secret& key,
                                     std::string_view nonce,
                                     std::string_view associated_data,
                                     std::string_view plaintext);

/// Errors: kUnauthenticated: not what AeadSeal made with this key, nonce and associated data.
absl::StatusOr<Secret> AeadOpen(const Secret& key,
                                std::string_view nonce,
                                std::string_view associated_data,
                                std::string_view sealed);

}  // namespace trove::identity
