#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/secret.h"

namespace trove::identity {

enum class KeyKind {
  kP256,     ///< ECDSA over P-256 with SHA-256: certificates
  kEd25519,  ///< signatures over jobs, NKeys
  kX25519,   ///< key agreement alone: sealed boxes
};

/// A public key. Cheap to copy. Thread-safe, as nothing changes it.
class PublicKey {
 public:
  /// Reads a "PUBLIC KEY" PEM. Errors: kInvalidArgument: not one, or a kind not in KeyKind.
  static absl::StatusOr<PublicKey> FromPem(std::string_view pem);

  /// The 32 raw bytes of an Ed25519 or X25519 key. Errors: kInvalidArgument: another kind or
  /// length.
  static absl::StatusOr<PublicKey> FromRaw(KeyKind kind, std::string_view bytes);

  KeyKind kind() const { return kind_; }
  std::string Pem() const;

  /// 32 bytes for Ed25519 and X25519; the uncompressed point (65 bytes) for P-256.
  std::string Raw() const;

  /// 16 hex characters that name this key: the first 8 bytes of SHA-256 over Raw().
  std::string Fingerprint() const;

  /// OK when `signature` over `message` was made by this key's other half. P-256 signatures are
  /// DER. Errors: kUnauthenticated: it was not; kFailedPrecondition: an X25519 key, which cannot
  /// sign.
  absl::Status Verify(std::string_view message, std::string_view signature) const;

  /// OpenSSL's object, for the other files of this library.
  struct Rep;
  const Rep& rep() const { return *rep_; }
  PublicKey(KeyKind kind, std::shared_ptr<const Rep> rep);

 private:
  KeyKind kind_;
  std::shared_ptr<const Rep> rep_;
};

/// A private key, which contains its public half. Cheap to copy. Thread-safe, as nothing changes
/// it.
class PrivateKey {
 public:
  static absl::StatusOr<PrivateKey> Generate(KeyKind kind);

  /// Reads an unencrypted "PRIVATE KEY" PEM. Errors: kInvalidArgument: not one, encrypted, or a
  /// kind not in KeyKind.
  static absl::StatusOr<PrivateKey> FromPem(const Secret& pem);

  /// The 32-byte seed of an Ed25519 or X25519 key. Errors: kInvalidArgument: another kind or
  /// length.
  static absl::StatusOr<PrivateKey> FromRaw(KeyKind kind, const Secret& seed);

  KeyKind kind() const { return kind_; }
  Secret Pem() const;
  PublicKey public_key() const;

  /// Errors: kFailedPrecondition: an X25519 key, which cannot sign.
  absl::StatusOr<std::string> Sign(std::string_view message) const;

  /// The X25519 shared secret with `peer` (32 bytes; to be put through a KDF before use).
  /// Errors: kFailedPrecondition: one of the two is not X25519; kInvalidArgument: a degenerate peer
  /// key.
  absl::StatusOr<Secret> Agree(const PublicKey& peer) const;

  /// OpenSSL's object, for the other files of this library.
  struct Rep;
  const Rep& rep() const { return *rep_; }
  PrivateKey(KeyKind kind, std::shared_ptr<const Rep> rep);

 private:
  KeyKind kind_;
  std::shared_ptr<const Rep> rep_;
};

}  // namespace trove::identity
