#include "services/gateway/views/datastores.h"

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"

namespace trove::gateway {
namespace {

void FillVersion(const v1::DatastoreVersion& from,
                 const Asked& asked,
                 rest::v1::DatastoreVersion* to) {
  to->set_id(from.id());
  to->set_name(from.name());
  to->set_version(from.version_number());
  AddLinks(asked.links, "datastores/versions", from.id(), to->mutable_links());
  to->set_active(from.active());
}

// A version that does not stand inside its datastore names it.
void FillLoneVersion(const v1::DatastoreVersion& from,
                     const Asked& asked,
                     rest::v1::DatastoreVersion* to) {
  FillVersion(from, asked, to);
  to->set_datastore(from.datastore_id());
}

void FillDatastore(const v1::Datastore& from, const Asked& asked, rest::v1::Datastore* to) {
  to->set_id(from.id());
  to->set_name(from.name());
  AddLinks(asked.links, "datastores", from.id(), to->mutable_links());
  for (const v1::DatastoreVersion& version : from.versions()) {
    FillVersion(version, asked, to->add_versions());
    if (version.id() == from.default_version_id()) to->set_default_version(version.id());
  }
}

}  // namespace

absl::StatusOr<v1::ListDatastoresRequest> ToListDatastores(const rest::v1::ListDatastoresRequest&,
                                                           const Asked&) {
  return v1::ListDatastoresRequest();
}

absl::StatusOr<v1::GetDatastoreRequest> ToGetDatastore(
    const rest::v1::ShowDatastoreRequest& document, const Asked&) {
  v1::GetDatastoreRequest request;
  request.set_datastore(document.datastore());
  return request;
}

absl::StatusOr<v1::ListDatastoreVersionsRequest> ToListDatastoreVersions(
    const rest::v1::ListDatastoreVersionsRequest& document, const Asked&) {
  v1::ListDatastoreVersionsRequest request;
  request.set_datastore(document.datastore());
  return request;
}

absl::StatusOr<v1::GetDatastoreVersionRequest> ToGetDatastoreVersion(
    const rest::v1::ShowDatastoreVersionRequest& document, const Asked&) {
  v1::GetDatastoreVersionRequest request;
  request.set_datastore(document.datastore());
  request.set_version(document.version());
  return request;
}

absl::StatusOr<v1::GetDatastoreVersionRequest> ToGetVersionById(
    const rest::v1::ShowVersionByIdRequest& document, const Asked&) {
  v1::GetDatastoreVersionRequest request;
  request.set_version(document.version_id());
  return request;
}

rest::v1::ListDatastoresResponse DatastoresView(const v1::ListDatastoresResponse& datastores,
                                                const Asked& asked) {
  rest::v1::ListDatastoresResponse document;
  for (const v1::Datastore& datastore : datastores.datastores())
    FillDatastore(datastore, asked, document.add_datastores());
  return document;
}

rest::v1::ShowDatastoreResponse DatastoreView(const v1::Datastore& datastore, const Asked& asked) {
  rest::v1::ShowDatastoreResponse document;
  FillDatastore(datastore, asked, document.mutable_datastore());
  return document;
}

rest::v1::ListDatastoreVersionsResponse DatastoreVersionsView(
    const v1::ListDatastoreVersionsResponse& versions, const Asked& asked) {
  rest::v1::ListDatastoreVersionsResponse document;
  for (const v1::DatastoreVersion& version : versions.versions())
    FillLoneVersion(version, asked, document.add_versions());
  return document;
}

rest::v1::ShowDatastoreVersionResponse DatastoreVersionView(const v1::DatastoreVersion& version,
                                                            const Asked& asked) {
  rest::v1::ShowDatastoreVersionResponse document;
  FillLoneVersion(version, asked, document.mutable_version());
  return document;
}

absl::Status VersionByIdError(const absl::Status& status) {
  if (!absl::IsNotFound(status)) return status;
  return MakeError(Reason::kVersionUnknown, MessageOf(status));
}

}  // namespace trove::gateway
