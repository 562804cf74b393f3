#pragma once

#include <absl/status/status.h>

#include "trove/v1/token.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/base/clock.h"
#include "libtrove/store/store.h"
#include "services/api/policy.h"

namespace trove::api {

/// Gives out this installation's own tokens. Thread-safe.
class Tokens {
 public:
  /// Both must outlive this object.
  Tokens(Store& store, const Clock& clock) : store_(store), clock_(clock) {}

  /// Errors: kInvalidField; else as Store.
  absl::Status Create(const Call& call,
                      const Caller& caller,
                      const v1::CreateTokenRequest& request,
                      v1::CreateTokenResponse* response);

 private:
  Store& store_;
  const Clock& clock_;
};

}  // namespace trove::api
