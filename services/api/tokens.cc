#include "services/api/tokens.h"

#include <string>

#include "libtrove/base/secret.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/identity/token.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/validation.h"

namespace trove::api {
namespace {

constexpr absl::Duration kDefaultLifetime = absl::Hours(24 * 365);
constexpr absl::Duration kShortest = absl::Minutes(1);
constexpr absl::Duration kLongest = absl::Hours(24 * 3652);

}  // namespace

absl::Status Tokens::Create(const Call& call,
                            const Caller&,
                            const v1::CreateTokenRequest& request,
                            v1::CreateTokenResponse* response) {
  TROVE_RETURN_IF_ERROR(CheckProjectId("project_id", request.project_id()));
  if (!IsRole(request.role())) return FieldError("role", "must be admin, member or reader");
  if (!request.user().empty()) TROVE_RETURN_IF_ERROR(CheckName("user", request.user()));
  absl::Duration lifetime = kDefaultLifetime;
  if (request.has_lifetime()) {
    lifetime =
        absl::Seconds(request.lifetime().seconds()) + absl::Nanoseconds(request.lifetime().nanos());
    if (lifetime < kShortest || lifetime > kLongest) {
      return FieldError("lifetime", "must be between 1 minute and 10 years");
    }
  }
  const Secret token = identity::NewTenantToken();
  const TokenRecord record{
      .hash = identity::HashToken(token),
      .project_id = ProjectId(request.project_id()),
      .user = request.user().empty() ? request.role() + "@" + request.project_id() : request.user(),
      .roles = {request.role()},
      .expires_at = clock_.Now() + lifetime};
  TROVE_RETURN_IF_ERROR(store_.PutToken(call, record));
  response->set_token(token.Reveal());
  response->mutable_expires_at()->set_seconds(absl::ToUnixSeconds(record.expires_at));
  return absl::OkStatus();
}

}  // namespace trove::api
