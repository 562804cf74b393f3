#pragma once

#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/message.h>

#include "libtrove/base/call.h"
#include "libtrove/identity/sealing.h"
#include "libtrove/store/store.h"
#include "services/api/audit_log.h"
#include "services/api/policy.h"

namespace trove::api {

/// The record of a request with this outcome; what a stranger may have made long is cut.
AuditEntry AuditEntryOf(const Caller& caller,
                        std::string resource,
                        std::string request_id,
                        const absl::Status& outcome);

/// Makes requests repeatable. Thread-safe.
class Requests {
 public:
  /// All must outlive this object.
  Requests(Store& store, const identity::MasterKey& key, AuditLog& audit)
      : store_(store), key_(key), audit_(audit) {}

  /// What the store must know of a request that changes something. The fingerprint covers who asks
  /// and everything in `request` but its `request_id`; it is made with the master key, so that no
  /// password can be guessed from it. Errors: kInvalidField: a bad `request_id`.
  absl::StatusOr<Requester> Ask(const Caller& caller,
                                const google::protobuf::Message& request) const;

  /// What the same request was answered within the last day, if it was; put on record. Asked before
  /// any check that looks at what the first one may have changed. Errors: kRequestIdReused.
  absl::StatusOr<std::optional<Accepted>> FindAnswer(const Call& call,
                                                     const Caller& caller,
                                                     const Requester& requester,
                                                     const std::string& resource) const;

 private:
  Store& store_;
  const identity::MasterKey& key_;
  AuditLog& audit_;
};

/// Reads an answer that was kept.
absl::Status ParseAnswer(const std::string& kept, google::protobuf::Message* response);

}  // namespace trove::api
