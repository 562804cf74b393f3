#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "libtrove/model/catalogue.h"
#include "libtrove/model/manifest.h"

namespace trove::api {

// What a request names, found among what there is; a refusal says what there is. Pure. The results
// point into the arguments.

/// By id or name. Errors: kDatastoreNotFound.
absl::StatusOr<const Datastore*> ChooseDatastore(const std::vector<Datastore>& datastores,
                                                 const std::string& wanted);

/// By id or name (empty: the default) and number (empty: any), of those that are offered. Errors:
/// kVersionUnknown; kVersionInactive.
absl::StatusOr<const DatastoreVersion*> ChooseVersion(const Datastore& datastore,
                                                      const std::string& wanted,
                                                      const std::string& number);

/// By id. Errors: kFlavorUnknown.
absl::StatusOr<const Flavor*> ChooseFlavor(const std::vector<Flavor>& flavors,
                                           const std::string& wanted);

/// Errors: kVersionInactive: this installation has no agent for it.
absl::StatusOr<const Manifest*> ManifestOf(const std::vector<Manifest>& manifests,
                                           const std::string& datastore);

/// As `10.11 (number 10.11.6), 11.4`: what may be asked for.
std::string VersionsOf(const Datastore& datastore);

}  // namespace trove::api
