#include "services/api/authenticator.h"

#include <algorithm>

#include "libtrove/identity/token.h"
#include "libtrove/model/errors.h"

namespace trove::api {
namespace {

Caller CallerOfToken(const TokenRecord& token) {
  return {.project_id = token.project_id,
          .user = token.user,
          .roles = token.roles,
          .address = {},
          .until = token.expires_at};
}

}  // namespace

absl::StatusOr<Caller> Authenticator::Authenticate(const Call& call, const Secret& token) {
  if (token.empty()) {
    return MakeError(
        Reason::kUnauthenticated,
        "a token is needed: send it as X-Auth-Token (REST) or as `authorization: Bearer` (gRPC)");
  }
  const std::string hash = identity::HashToken(token);
  const absl::Time now = clock_.Now();
  {
    const MutexLock lock(mutex_);
    const auto found = entries_.find(hash);
    if (found != entries_.end() &&
        now < std::min(found->second.until, found->second.token.expires_at)) {
      return CallerOfToken(found->second.token);
    }
  }
  absl::StatusOr<TokenRecord> record = store_.FindToken(call, hash);
  const MutexLock lock(mutex_);
  if (!record.ok()) {
    if (absl::IsUnauthenticated(record.status())) entries_.erase(hash);
    return record.status();
  }
  if (entries_.size() >= kMostRemembered) entries_.clear();
  entries_[hash] = {.token = *record, .until = now + kRemembered};
  return CallerOfToken(*record);
}

}  // namespace trove::api
