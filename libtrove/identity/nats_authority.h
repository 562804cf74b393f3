#pragma once

#include <map>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/id.h"
#include "libtrove/base/secret.h"
#include "libtrove/identity/nats_jwt.h"
#include "libtrove/identity/nkey.h"

namespace trove::identity {

/// How long a guest's JWT is good; the agent renews it after two thirds of it.
inline constexpr absl::Duration kGuestNatsValidity = absl::Hours(24);

/// Admits users to one account with a signing key of that account: all that the conductor holds.
/// Cheap to copy. Thread-safe, as nothing changes it.
class NatsUserIssuer {
 public:
  /// `account` is the public key of the account. Errors: kInvalidArgument: a key of another kind.
  static absl::StatusOr<NatsUserIssuer> Make(const NKey& signing_key, const std::string& account);

  const std::string& account() const { return account_; }

  /// The JWT for a guest that made its own NKey, with GuestNatsPermissions. Errors:
  /// kInvalidArgument: not a public user key, or a guest id that is not a UUID.
  absl::StatusOr<std::string> GuestJwt(const GuestId& guest,
                                       const std::string& user_public_key,
                                       absl::Time now,
                                       absl::Duration validity = kGuestNatsValidity) const;

  /// A new NKey and JWT for a service, with ServiceNatsPermissions, good until the account ends.
  /// Errors: kNotFound: a service without business on the bus.
  absl::StatusOr<NatsCredentials> ServiceCredentials(std::string_view service,
                                                     absl::Time now) const;

 private:
  NatsUserIssuer(NKey signing_key, std::string account);

  NKey signing_key_;
  std::string account_;
};

/// Who rules a mesh's bus: an operator, the account of the mesh with one signing key, and the
/// server's own account. The launcher keeps the four seeds.
struct NatsAuthority {
  NKey operator_key;
  NKey account_key;
  NKey signing_key;
  NKey system_key;

  static absl::StatusOr<NatsAuthority> Generate();

  /// Errors: kInvalidArgument: a seed of another kind.
  static absl::StatusOr<NatsAuthority> FromSeeds(const Secret& operator_seed,
                                                 const Secret& account_seed,
                                                 const Secret& signing_seed,
                                                 const Secret& system_seed);

  absl::StatusOr<std::string> OperatorJwt(absl::Time now) const;

  /// The mesh's account. `revocations` as in NatsAccountClaims.
  absl::StatusOr<std::string> AccountJwt(absl::Time now,
                                         std::map<std::string, absl::Time> revocations = {}) const;

  /// Both accounts by public key, as NatsServerConfig::accounts wants them. `made_at` is when the
  /// mesh was made and the same at each start: of the JWT it finds here and the one it has stored
  /// the server keeps that which was issued later, so a fresh one would undo every revocation.
  absl::StatusOr<std::map<std::string, std::string>> AccountJwts(absl::Time made_at) const;

  absl::StatusOr<NatsUserIssuer> UserIssuer() const;

  /// A new user of the system account, with SystemNatsPermissions.
  absl::StatusOr<NatsCredentials> SystemCredentials(absl::Time now) const;
};

}  // namespace trove::identity
