#include "libtrove/identity/nats_authority.h"

#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/identity/nats_permissions.h"

namespace trove::identity {
namespace {

absl::StatusOr<NKey> SeedOf(NKeyKind kind, const Secret& seed) {
  TROVE_ASSIGN_OR_RETURN(NKey key, NKey::FromSeed(seed));
  if (key.kind() != kind) return absl::InvalidArgumentError("the NKey seed is of another kind");
  return key;
}

absl::StatusOr<NatsCredentials> NewUser(const NKey& signing_key,
                                        const std::string& account,
                                        std::string_view name,
                                        NatsPermissions permissions,
                                        absl::Time now) {
  TROVE_ASSIGN_OR_RETURN(const NKey user, NKey::Generate(NKeyKind::kUser));
  NatsUserClaims claims;
  claims.name = std::string(name);
  claims.user = user.public_key();
  claims.account = account;
  claims.permissions = std::move(permissions);
  NatsCredentials credentials;
  TROVE_ASSIGN_OR_RETURN(credentials.jwt, MakeNatsUserJwt(signing_key, claims, now));
  credentials.seed = user.seed();
  return credentials;
}

}  // namespace

NatsUserIssuer::NatsUserIssuer(NKey signing_key, std::string account)
    : signing_key_(std::move(signing_key)), account_(std::move(account)) {}

absl::StatusOr<NatsUserIssuer> NatsUserIssuer::Make(const NKey& signing_key,
                                                    const std::string& account) {
  if (signing_key.kind() != NKeyKind::kAccount) {
    return absl::InvalidArgumentError("users are signed by an account's key");
  }
  TROVE_RETURN_IF_ERROR(CheckNKeyPublicKey(NKeyKind::kAccount, account));
  return NatsUserIssuer(signing_key, account);
}

absl::StatusOr<std::string> NatsUserIssuer::GuestJwt(const GuestId& guest,
                                                     const std::string& user_public_key,
                                                     absl::Time now,
                                                     absl::Duration validity) const {
  NatsUserClaims claims;
  claims.name = "guest " + guest.value();
  claims.user = user_public_key;
  claims.account = account_;
  TROVE_ASSIGN_OR_RETURN(claims.permissions, GuestNatsPermissions(guest));
  claims.expires = now + validity;
  return MakeNatsUserJwt(signing_key_, claims, now);
}

absl::StatusOr<NatsCredentials> NatsUserIssuer::ServiceCredentials(std::string_view service,
                                                                   absl::Time now) const {
  TROVE_ASSIGN_OR_RETURN(NatsPermissions permissions, ServiceNatsPermissions(service));
  return NewUser(
      signing_key_, account_, "service " + std::string(service), std::move(permissions), now);
}

absl::StatusOr<NatsAuthority> NatsAuthority::Generate() {
  TROVE_ASSIGN_OR_RETURN(NKey operator_key, NKey::Generate(NKeyKind::kOperator));
  TROVE_ASSIGN_OR_RETURN(NKey account_key, NKey::Generate(NKeyKind::kAccount));
  TROVE_ASSIGN_OR_RETURN(NKey signing_key, NKey::Generate(NKeyKind::kAccount));
  TROVE_ASSIGN_OR_RETURN(NKey system_key, NKey::Generate(NKeyKind::kAccount));
  return NatsAuthority{std::move(operator_key),
                       std::move(account_key),
                       std::move(signing_key),
                       std::move(system_key)};
}

absl::StatusOr<NatsAuthority> NatsAuthority::FromSeeds(const Secret& operator_seed,
                                                       const Secret& account_seed,
                                                       const Secret& signing_seed,
                                                       const Secret& system_seed) {
  TROVE_ASSIGN_OR_RETURN(NKey operator_key, SeedOf(NKeyKind::kOperator, operator_seed));
  TROVE_ASSIGN_OR_RETURN(NKey account_key, SeedOf(NKeyKind::kAccount, account_seed));
  TROVE_ASSIGN_OR_RETURN(NKey signing_key, SeedOf(NKeyKind::kAccount, signing_seed));
  TROVE_ASSIGN_OR_RETURN(NKey system_key, SeedOf(NKeyKind::kAccount, system_seed));
  return NatsAuthority{std::move(operator_key),
                       std::move(account_key),
                       std::move(signing_key),
                       std::move(system_key)};
}

absl::StatusOr<std::string> NatsAuthority::OperatorJwt(absl::Time now) const {
  return MakeNatsOperatorJwt(operator_key, {"trove", system_key.public_key()}, now);
}

absl::StatusOr<std::string> NatsAuthority::AccountJwt(
    absl::Time now, std::map<std::string, absl::Time> revocations) const {
  NatsAccountClaims claims;
  claims.name = "trove mesh";
  claims.account = account_key.public_key();
  claims.signing_keys = {signing_key.public_key()};
  claims.revocations = std::move(revocations);
  return MakeNatsAccountJwt(operator_key, claims, now);
}

absl::StatusOr<std::map<std::string, std::string>> NatsAuthority::AccountJwts(
    absl::Time made_at) const {
  NatsAccountClaims system;
  system.name = "system";
  system.account = system_key.public_key();
  system.jetstream = false;
  std::map<std::string, std::string> jwts;
  TROVE_ASSIGN_OR_RETURN(jwts[system.account], MakeNatsAccountJwt(operator_key, system, made_at));
  TROVE_ASSIGN_OR_RETURN(jwts[account_key.public_key()], AccountJwt(made_at));
  return jwts;
}

absl::StatusOr<NatsUserIssuer> NatsAuthority::UserIssuer() const {
  return NatsUserIssuer::Make(signing_key, account_key.public_key());
}

absl::StatusOr<NatsCredentials> NatsAuthority::SystemCredentials(absl::Time now) const {
  return NewUser(system_key, system_key.public_key(), "system", SystemNatsPermissions(), now);
}

}  // namespace trove::identity
