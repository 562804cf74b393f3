#pragma once

#include <string>

#include <absl/status/status.h>

namespace trove {

/// The schema that this release brings. It works on this one and on the one before, so that
/// services of two releases may run side by side while they are replaced.
inline constexpr int kStoreSchema = 2;
inline constexpr int kOldestStoreSchema = 2;

/// Makes the store at `path` (mode 0600) or brings it to kStoreSchema, all or nothing. Run once, by
/// the launcher, before the services; several at once take turns and running it again is harmless.
/// Errors: kFailedPrecondition: the file is no store, or newer than this release; else as every
/// method's of Store.
absl::Status Migrate(const std::string& path);

}  // namespace trove
