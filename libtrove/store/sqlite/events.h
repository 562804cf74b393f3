#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// Writes that an instance changed: `type` is the last word of `trove.instance.…`. What it carries
/// is what any reader of the project may see.
absl::Status InstanceEvent(Transaction& tx, std::string_view type, const Instance& instance);

/// The same after a change of the row: gives the instance its next version, and reads it again.
/// Nothing when there is no such instance.
absl::Status InstanceChanged(Transaction& tx, std::string_view type, const InstanceId& id);

/// Writes that an operation changed, from its row.
absl::Status OperationEvent(Transaction& tx, std::string_view type, const OperationId& id);

// As the methods of Store.
absl::StatusOr<std::vector<EventRecord>> StampEvents(Transaction& tx,
                                                     const WorkerId& worker,
                                                     int limit);
absl::Status MarkPublished(Transaction& tx, const WorkerId& worker, std::int64_t position);
absl::StatusOr<std::vector<EventRecord>> ReadEvents(Transaction& tx,
                                                    const std::optional<ProjectId>& project,
                                                    std::int64_t position,
                                                    int limit);

/// Whether StampEvents has anything to do or to return. Errors: as StampEvents.
absl::StatusOr<bool> EventsWait(Transaction& tx, const WorkerId& worker);

}  // namespace trove::sqlite
