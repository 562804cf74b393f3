#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "trove/v1/instance.pb.h"

#include "libtrove/model/catalogue.h"
#include "libtrove/model/configuration.h"
#include "libtrove/model/manifest.h"
#include "libtrove/store/records.h"
#include "services/api/policy.h"

namespace trove::api {

/// What new instances are made of here.
struct CreateRules {
  std::vector<Manifest> manifests;
  std::string default_datastore;      ///< used when none is asked for
  std::int64_t most_volume_gib = 10;  ///< Trove's max_accepted_volume_size
  std::string region = "RegionOne";
  absl::Duration time_limit = absl::Minutes(10);  ///< a create that takes longer fails
};

/// Checks everything about a create request that can be checked without the instance's project, and
/// says what to store; ids are new, and the operation's input is left to the caller.
/// `configuration` is the group that the request names. Pure. Errors: kInvalidField names the
/// field; kDatastoreNotFound; kVersionUnknown; kVersionInactive; kFlavorUnknown; kVolumeTooLarge;
/// kConfigurationMismatch.
absl::StatusOr<NewInstance> PlanCreate(const v1::CreateInstanceRequest& request,
                                       const Caller& caller,
                                       const std::vector<Datastore>& datastores,
                                       const std::vector<Flavor>& flavors,
                                       const CreateRules& rules,
                                       const std::optional<Configuration>& configuration,
                                       absl::Time now);

}  // namespace trove::api
