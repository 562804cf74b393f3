#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "libtrove/identity/keys.h"

namespace trove::identity {

/// A certificate signing request (PEM) for `key`. It carries `common_name` for humans only: the
/// authority takes names from a profile of its own. Errors: kFailedPrecondition: an X25519 key.
absl::StatusOr<std::string> MakeCsr(const PrivateKey& key, const std::string& common_name);

/// The key a request asks a certificate for, once the request's signature has proved that its
/// sender holds the other half. Errors: kInvalidArgument: not a request, or a key that is neither
/// P-256 nor Ed25519; kUnauthenticated: the signature does not match.
absl::StatusOr<PublicKey> CheckCsr(std::string_view csr_pem);

}  // namespace trove::identity
