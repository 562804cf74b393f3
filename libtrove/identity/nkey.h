#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/secret.h"
#include "libtrove/identity/keys.h"

namespace trove::identity {

/// Whose key it is in NATS's operator mode. The text form of a public key begins with O, A or U.
enum class NKeyKind { kOperator, kAccount, kUser };

/// A NATS NKey: an Ed25519 key pair with NATS's own text forms (github.com/nats-io/nkeys). Cheap to
/// copy. Thread-safe, as nothing changes it.
class NKey {
 public:
  static absl::StatusOr<NKey> Generate(NKeyKind kind);

  /// Reads a seed ("SU…"). Errors: kInvalidArgument: not a seed of these kinds, or a mistyped one.
  static absl::StatusOr<NKey> FromSeed(const Secret& seed);

  NKeyKind kind() const { return kind_; }
  Secret seed() const;

  /// 56 characters: what NATS knows the owner by.
  const std::string& public_key() const { return public_key_; }

  /// The raw 64 bytes of the signature.
  absl::StatusOr<std::string> Sign(std::string_view message) const;

 private:
  NKey(NKeyKind kind, PrivateKey key, Secret raw_seed);

  NKeyKind kind_;
  PrivateKey key_;
  Secret raw_seed_;
  std::string public_key_;
};

/// OK when `text` is a public NKey of `kind`. Errors: kInvalidArgument.
absl::Status CheckNKeyPublicKey(NKeyKind kind, std::string_view text);

/// OK when `signature` over `message` was made by the NKey whose public text is `public_key`.
/// Errors: kInvalidArgument: not a public NKey; kUnauthenticated: the signature is not its.
absl::Status VerifyNKeySignature(std::string_view public_key,
                                 std::string_view message,
                                 std::string_view signature);

}  // namespace trove::identity
