#include "services/api/tokens.h"

#include <string>

#include "libtrove/base/secret.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/identity/token.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/validation.h"
#include "services/api/times.h"

namespace trove::api {
namespace {

constexpr absl::Duration kDefaultLifetime = absl::Hours(24 * 365);
constexpr absl::Duration kShortest = absl::Minutes(1);
constexpr absl::Duration kLongest = absl::Hours(24 * 3652);

}  // namespace

absl::Status Tokens::Create(const Call& call,
                            const Caller& caller,
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
  response->set_token(token.Reveal());
  SetTime(record.expires_at, response->mutable_expires_at());
  TROVE_ASSIGN_OR_RETURN(const Requester requester, requests_.Ask(caller, request));
  std::string sealed;
  // Bound to its request: it opens as the answer to no other one.
  const std::string belongs =
      "token for request " + caller.project_id.value() + " " + requester.request_id;
  if (!requester.request_id.empty()) {
    TROVE_ASSIGN_OR_RETURN(sealed,
                           master_key_.Seal(Secret(response->SerializeAsString()), belongs));
  }
  TROVE_ASSIGN_OR_RETURN(const std::string answer,
                         store_.PutTokenOnce(call, requester, record, sealed));
  if (requester.request_id.empty() || answer == sealed) return absl::OkStatus();
  TROVE_ASSIGN_OR_RETURN(const Secret first, master_key_.Unseal(answer, belongs));
  return ParseAnswer(first.Reveal(), response);
}

}  // namespace trove::api
