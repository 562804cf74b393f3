#pragma once

#include <absl/status/status.h>

#include "trove/v1/operation.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/bus/bus.h"
#include "libtrove/rpc/stream.h"
#include "libtrove/store/store.h"
#include "services/api/operation_watcher.h"
#include "services/api/policy.h"
#include "services/api/requests.h"

namespace trove::api {

/// What tenants see and do of long work. Thread-safe.
class Operations {
 public:
  /// All must outlive this object.
  Operations(Store& store, Bus& bus, const Requests& requests, OperationWatcher& watcher)
      : store_(store), bus_(bus), requests_(requests), watcher_(watcher) {}

  absl::Status Get(const Call& call,
                   const Caller& caller,
                   const v1::GetOperationRequest& request,
                   v1::Operation* response);
  absl::Status List(const Call& call,
                    const Caller& caller,
                    const v1::ListOperationsRequest& request,
                    v1::ListOperationsResponse* response);
  void Watch(const Call& call,
             const Caller& caller,
             const v1::WatchOperationRequest& request,
             const rpc::Stream<v1::Operation>& stream);
  absl::Status Cancel(const Call& call,
                      const Caller& caller,
                      const v1::CancelOperationRequest& request,
                      v1::Operation* response);
  absl::Status Retry(const Call& call,
                     const Caller& caller,
                     const v1::RetryOperationRequest& request,
                     v1::Operation* response);

 private:
  using Change = absl::StatusOr<Operation> (Store::*)(const Call&,
                                                      const Requester&,
                                                      const OperationId&);
  absl::Status Apply(const Call& call,
                     const Caller& caller,
                     const google::protobuf::Message& request,
                     const OperationId& id,
                     Change change,
                     v1::Operation* response);

  Store& store_;
  Bus& bus_;
  const Requests& requests_;
  OperationWatcher& watcher_;
};

}  // namespace trove::api
