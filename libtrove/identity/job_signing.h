#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/secret.h"
#include "libtrove/identity/keys.h"

namespace trove::identity {

/// What travels beside the signed bytes.
struct JobSignature {
  std::string key_id;     ///< PublicKey::Fingerprint of the signer: 16 hex characters
  std::string signature;  ///< 64 bytes
};

/// Signs jobs for guests, over their serialized bytes, with Ed25519. A prefix of our own goes
/// before the bytes, so that a signature made for another purpose with the same key never passes as
/// a job's. Thread-safe, as nothing changes it.
class JobSigner {
 public:
  /// Errors: kInvalidArgument: not an Ed25519 key.
  static absl::StatusOr<JobSigner> Make(PrivateKey key);

  /// From the PEM of a private key. Errors: kInvalidArgument.
  static absl::StatusOr<JobSigner> FromPem(const Secret& pem);

  const std::string& key_id() const { return key_id_; }

  /// What a JobVerifier is made from.
  std::string public_key_pem() const { return key_.public_key().Pem(); }

  absl::StatusOr<JobSignature> Sign(std::string_view job) const;

 private:
  explicit JobSigner(PrivateKey key);

  PrivateKey key_;
  std::string key_id_;
};

/// Checks jobs against the keys it was given; several, while one key takes over from another.
/// Checking is thread-safe; Add is not.
class JobVerifier {
 public:
  /// From the PEMs of one or more public keys. Errors: kInvalidArgument: one of them is not an
  /// Ed25519 key, or there is none.
  static absl::StatusOr<JobVerifier> FromPems(const std::vector<std::string>& public_key_pems);

  /// Errors: kInvalidArgument: not an Ed25519 key.
  absl::Status Add(const PublicKey& key);

  /// OK when `job` was signed by the key it names and that key is known.
  /// Errors: kUnauthenticated.
  absl::Status Verify(std::string_view job, const JobSignature& signature) const;

 private:
  std::map<std::string, PublicKey> keys_;
};

}  // namespace trove::identity
