#pragma once

#include <optional>

#include "trove/v1/instance.pb.h"

#include "libtrove/store/records.h"

namespace trove::api {

/// Why an instance is not ACTIVE and HEALTHY: the step, what it waits for, since when, the last
/// error, and what a human can do. None: it is. Pure.
std::optional<v1::Instance::Reason> ReasonFor(const InstanceView& view);

}  // namespace trove::api
