#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "trove/v1/datastore.pb.h"
#include "trove/v1/flavor.pb.h"
#include "trove/v1/limits.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/store/store.h"
#include "services/api/policy.h"

namespace trove::api {

/// What can be asked for, and how much of it: datastores, flavors, limits. Knows nothing of gRPC.
/// Thread-safe.
class CatalogueReader {
 public:
  /// `store` must outlive this object.
  explicit CatalogueReader(Store& store) : store_(store) {}

  absl::Status GetDatastore(const Call& call,
                            const Caller& caller,
                            const v1::GetDatastoreRequest& request,
                            v1::Datastore* response);
  absl::Status ListDatastores(const Call& call,
                              const Caller& caller,
                              const v1::ListDatastoresRequest& request,
                              v1::ListDatastoresResponse* response);
  absl::Status GetVersion(const Call& call,
                          const Caller& caller,
                          const v1::GetDatastoreVersionRequest& request,
                          v1::DatastoreVersion* response);
  absl::Status ListVersions(const Call& call,
                            const Caller& caller,
                            const v1::ListDatastoreVersionsRequest& request,
                            v1::ListDatastoreVersionsResponse* response);
  absl::Status GetFlavor(const Call& call,
                         const Caller& caller,
                         const v1::GetFlavorRequest& request,
                         v1::Flavor* response);
  absl::Status ListFlavors(const Call& call,
                           const Caller& caller,
                           const v1::ListFlavorsRequest& request,
                           v1::ListFlavorsResponse* response);
  absl::Status GetLimits(const Call& call,
                         const Caller& caller,
                         const v1::GetLimitsRequest& request,
                         v1::Limits* response);

 private:
  absl::StatusOr<Datastore> FindDatastore(const Call& call, const std::string& wanted);

  Store& store_;
};

}  // namespace trove::api
