#pragma once

#include <string>

#include "libtrove/base/call.h"
#include "libtrove/store/records.h"

// What tests put into a store.

namespace trove {

/// The version and the flavor of every instance below.
inline const VersionId kTestVersion("11111111-1111-4111-8111-111111111111");
inline const FlavorId kTestFlavor("1");
Catalogue TestCatalogue();

/// A call that ends in ten seconds.
Call SoonCall();

/// A new instance with fresh ids, its operation `instance.create` of three steps, and its quota.
NewInstance WantedInstance(const std::string& project,
                           const std::string& name,
                           int volume_size_gib = 1);

/// Actions as the api asks for them.
NewAction RestartOf(const InstanceId& instance);
NewAction DeleteOf(const InstanceId& instance);

/// A member of a project. With a request id, the fingerprint says what was asked for.
Requester Tenant(const std::string& project,
                 const std::string& request_id = "",
                 const std::string& fingerprint = "");

}  // namespace trove
