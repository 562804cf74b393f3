#pragma once

#include <absl/status/status.h>

#include "trove/v1/token.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/base/clock.h"
#include "libtrove/identity/sealing.h"
#include "libtrove/store/store.h"
#include "services/api/policy.h"
#include "services/api/requests.h"

namespace trove::api {

/// Gives out this installation's own tokens. Thread-safe.
class Tokens {
 public:
  /// All must outlive this object.
  Tokens(Store& store,
         const Clock& clock,
         const identity::MasterKey& master_key,
         const Requests& requests)
      : store_(store), clock_(clock), master_key_(master_key), requests_(requests) {}

  /// A request with an id gets the same token for a day: it is kept sealed. Errors: kInvalidField;
  /// kRequestIdReused; else as Store.
  absl::Status Create(const Call& call,
                      const Caller& caller,
                      const v1::CreateTokenRequest& request,
                      v1::CreateTokenResponse* response);

 private:
  Store& store_;
  const Clock& clock_;
  const identity::MasterKey& master_key_;
  const Requests& requests_;
};

}  // namespace trove::api
