#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "libtrove/base/secret.h"
#include "libtrove/identity/keys.h"

namespace trove::identity {

/// The key kept outside the database under which its secrets are sealed (AES-256-GCM). Cheap to
/// copy. Thread-safe, as nothing changes it.
class MasterKey {
 public:
  static MasterKey Generate();

  /// Errors: kInvalidArgument: not 32 bytes.
  static absl::StatusOr<MasterKey> FromBytes(const Secret& bytes);

  /// Reads a file of 32 raw bytes. Errors: as ReadFile and FromBytes.
  static absl::StatusOr<MasterKey> FromFile(const std::filesystem::path& path);

  const Secret& bytes() const { return bytes_; }

  /// 16 hex characters that name the key and tell nothing about it.
  std::string id() const;

  /// `associated_data` is not secret and not stored: it says where the result belongs ("operation
  /// <id> input"), and the same is needed to unseal, so that one sealed value cannot stand in for
  /// another. At most 64 MiB.
  absl::StatusOr<std::string> Seal(const Secret& plaintext, std::string_view associated_data) const;

  /// Errors: kInvalidArgument: not a sealed value; kFailedPrecondition: sealed under another key;
  /// kUnauthenticated: changed, or moved from where it belongs.
  absl::StatusOr<Secret> Unseal(std::string_view sealed, std::string_view associated_data) const;

 private:
  explicit MasterKey(Secret bytes);

  Secret bytes_;
  std::string raw_id_;
};

/// Seals `plaintext` so that only the holder of the X25519 key behind `recipient` can read it, and
/// does not say who sealed it: X25519 with a fresh key, HKDF-SHA256, AES-256-GCM. `associated_data`
/// as above. Errors: kFailedPrecondition: the recipient's key is of another kind; kInvalidArgument:
/// it is degenerate.
absl::StatusOr<std::string> SealTo(const PublicKey& recipient,
                                   const Secret& plaintext,
                                   std::string_view associated_data);

/// Opens what SealTo made. Errors: kInvalidArgument: not a sealed box; kUnauthenticated: for
/// another recipient, changed, or moved.
absl::StatusOr<Secret> OpenSealed(const PrivateKey& recipient,
                                  std::string_view box,
                                  std::string_view associated_data);

}  // namespace trove::identity
