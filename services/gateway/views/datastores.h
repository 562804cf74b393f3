#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "trove/rest/v1/datastore.pb.h"
#include "trove/v1/datastore.pb.h"

#include "services/gateway/asked.h"

namespace trove::gateway {

absl::StatusOr<v1::ListDatastoresRequest> ToListDatastores(
    const rest::v1::ListDatastoresRequest& document, const Asked& asked);
absl::StatusOr<v1::GetDatastoreRequest> ToGetDatastore(
    const rest::v1::ShowDatastoreRequest& document, const Asked& asked);
absl::StatusOr<v1::ListDatastoreVersionsRequest> ToListDatastoreVersions(
    const rest::v1::ListDatastoreVersionsRequest& document, const Asked& asked);
absl::StatusOr<v1::GetDatastoreVersionRequest> ToGetDatastoreVersion(
    const rest::v1::ShowDatastoreVersionRequest& document, const Asked& asked);
absl::StatusOr<v1::GetDatastoreVersionRequest> ToGetVersionById(
    const rest::v1::ShowVersionByIdRequest& document, const Asked& asked);

rest::v1::ListDatastoresResponse DatastoresView(const v1::ListDatastoresResponse& datastores,
                                                const Asked& asked);
rest::v1::ShowDatastoreResponse DatastoreView(const v1::Datastore& datastore, const Asked& asked);
rest::v1::ListDatastoreVersionsResponse DatastoreVersionsView(
    const v1::ListDatastoreVersionsResponse& versions, const Asked& asked);
rest::v1::ShowDatastoreVersionResponse DatastoreVersionView(const v1::DatastoreVersion& version,
                                                            const Asked& asked);

/// A version that is asked for by its id alone and is not there is a bad request, as in Trove.
absl::Status VersionByIdError(const absl::Status& status);

}  // namespace trove::gateway
