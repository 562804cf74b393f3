#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/call.h"
#include "libtrove/base/clock.h"
#include "libtrove/base/mutex.h"
#include "libtrove/base/secret.h"
#include "libtrove/store/store.h"
#include "services/api/policy.h"

namespace trove::api {

/// Turns a token into a caller. Remembers what it learned, so that a token costs one read of the
/// store in a while and not one a request; a token that ends or is taken back works `kRemembered`
/// longer at most. Thread-safe.
class Authenticator {
 public:
  /// `store` and `clock` must outlive this object.
  Authenticator(Store& store, const Clock& clock) : store_(store), clock_(clock) {}

  /// How long an answer of the store is believed.
  static constexpr absl::Duration kRemembered = absl::Seconds(30);

  /// Errors: kUnauthenticated: no token, or one that the store does not know or that has ended;
  /// else as Store.
  absl::StatusOr<Caller> Authenticate(const Call& call, const Secret& token) TROVE_EXCLUDES(mutex_);

 private:
  // Enough for every token in daily use; a flood of bad ones is not remembered at all.
  static constexpr std::size_t kMostRemembered = 10'000;

  struct Entry {
    TokenRecord token;
    absl::Time until;
  };

  Store& store_;
  const Clock& clock_;
  Mutex mutex_;
  std::unordered_map<std::string, Entry> entries_ TROVE_GUARDED_BY(mutex_);  // by hash
};

}  // namespace trove::api
