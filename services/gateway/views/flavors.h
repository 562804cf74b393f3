#pragma once

#include <absl/status/statusor.h>

#include "trove/rest/v1/flavor.pb.h"
#include "trove/v1/flavor.pb.h"

#include "services/gateway/asked.h"

namespace trove::gateway {

absl::StatusOr<v1::ListFlavorsRequest> ToListFlavors(const rest::v1::ListFlavorsRequest& document,
                                                     const Asked& asked);
absl::StatusOr<v1::ListFlavorsRequest> ToListVersionFlavors(
    const rest::v1::ListVersionFlavorsRequest& document, const Asked& asked);
absl::StatusOr<v1::GetFlavorRequest> ToGetFlavor(const rest::v1::ShowFlavorRequest& document,
                                                 const Asked& asked);

rest::v1::ListFlavorsResponse FlavorsView(const v1::ListFlavorsResponse& flavors,
                                          const Asked& asked);
rest::v1::ShowFlavorResponse FlavorView(const v1::Flavor& flavor, const Asked& asked);

}  // namespace trove::gateway
