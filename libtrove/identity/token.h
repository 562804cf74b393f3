#pragma once

#include <string>
#include <string_view>

#include "libtrove/base/secret.h"

namespace trove::identity {

/// A new token for a tenant: `trv_` and 43 characters of [A-Za-z0-9], 256 bits. Only its hash is
/// kept.
Secret NewTenantToken();

/// A new one-time token with which a guest asks for its first certificate: `tre_` and 43
/// characters.
Secret NewEnrolmentToken();

/// What is stored of a token: SHA-256 in 64 lower-case hex characters. Unsalted on purpose: the
/// tokens are random, and the hash is looked up.
std::string HashToken(const Secret& token);

/// Compares in a time that depends on the lengths alone.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

}  // namespace trove::identity
