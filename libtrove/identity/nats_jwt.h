#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/secret.h"
#include "libtrove/identity/nats_permissions.h"
#include "libtrove/identity/nkey.h"

namespace trove::identity {

/// The root of a bus: self-signed. Accounts are signed by this key.
struct NatsOperatorClaims {
  std::string name;
  std::string system_account;  ///< public key of the account for the server's own matters
};

/// One bus within the server: users of one account hear each other.
struct NatsAccountClaims {
  std::string name;
  std::string account;                    ///< its public key
  std::vector<std::string> signing_keys;  ///< public account keys that may sign users besides it
  std::map<std::string, absl::Time>
      revocations;        ///< user key → users issued until then are refused
  bool jetstream = true;  ///< without limits; must be off for the system account
};

/// One connection's identity.
struct NatsUserClaims {
  std::string name;
  std::string user;     ///< its public key
  std::string account;  ///< public key of its account
  NatsPermissions permissions;
  std::optional<absl::Time> expires;  ///< the server then closes the connection; whole seconds
};

/// Each makes a JWT (version 2 of NATS's claims) issued at `now`. Errors: kInvalidArgument: a key
/// of the wrong kind.
absl::StatusOr<std::string> MakeNatsOperatorJwt(const NKey& operator_key,
                                                const NatsOperatorClaims& claims,
                                                absl::Time now);
absl::StatusOr<std::string> MakeNatsAccountJwt(const NKey& operator_key,
                                               const NatsAccountClaims& claims,
                                               absl::Time now);

/// `signing_key` is the account's own key or one of its signing keys.
absl::StatusOr<std::string> MakeNatsUserJwt(const NKey& signing_key,
                                            const NatsUserClaims& claims,
                                            absl::Time now);

/// What a NATS JWT says of itself; the signature has been checked against `issuer`, but whether to
/// trust that issuer is up to the caller.
struct NatsJwtFacts {
  std::string name;
  std::string subject;         ///< public key it is about
  std::string issuer;          ///< public key that signed it
  std::string issuer_account;  ///< of a user signed by a signing key, else empty
  absl::Time issued_at;
  std::optional<absl::Time> expires;
};

/// Errors: kInvalidArgument: not a NATS JWT; kUnauthenticated: its signature does not match.
absl::StatusOr<NatsJwtFacts> ReadNatsJwt(std::string_view jwt);

/// A user's JWT and seed as they stand in a creds file.
struct NatsCredentials {
  std::string jwt;
  Secret seed;
};

/// The text of a creds file, as every NATS client reads it. Keep it as secret as the seed.
Secret NatsCredsText(const NatsCredentials& credentials);

/// Errors: kInvalidArgument: one of the two parts is missing.
absl::StatusOr<NatsCredentials> ParseNatsCreds(const Secret& text);

}  // namespace trove::identity
