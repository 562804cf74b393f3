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

/// Writes that an instance changed: `type` is the last word of `trove.instance.…`; `user` is who
/// asked for it, when somebody did. What it carries is what any reader of the project may see.
absl::Status InstanceEvent(Transaction& tx,
                           std::string_view type,
                           const Instance& instance,
                           std::string_view user = {});

/// The same after a change of the row: gives the instance its next version, and reads it again.
/// Nothing when there is no such instance.
absl::Status InstanceChanged(Transaction& tx,
                             std::string_view type,
                             const InstanceId& id,
                             std::string_view user = {});

/// What an event says of an operation.
struct OperationNews {
  const OperationId& id;
  const ProjectId& project_id;
  const InstanceId& instance_id;
  std::string_view kind;
  OperationState state = OperationState::kPending;
  std::string_view step;  ///< the name of the current one
  std::string_view reason;
  std::string_view error;
  std::int64_t version = 0;
};

/// Writes that an operation changed: `type` is the last word of `trove.operation.…`.
absl::Status OperationEvent(Transaction& tx,
                            std::string_view type,
                            const OperationNews& news,
                            std::string_view user = {});
/// The same from its row.
absl::Status OperationEvent(Transaction& tx,
                            std::string_view type,
                            const OperationId& id,
                            std::string_view user = {});

/// What an event says of a configuration group.
struct ConfigurationNews {
  const ConfigurationId& id;
  const ProjectId& project_id;
  std::string_view name;
  const InstanceId* instance_id = nullptr;  ///< that it was attached to or detached from
};

/// Writes that a configuration group changed: `type` is the last word of `trove.configuration.…`.
absl::Status ConfigurationEvent(Transaction& tx,
                                std::string_view type,
                                const ConfigurationNews& news,
                                std::string_view user = {});

// As the methods of Store.
absl::StatusOr<std::vector<EventRecord>> StampEvents(Transaction& tx,
                                                     const WorkerId& worker,
                                                     int limit);
absl::Status MarkPublished(Transaction& tx, const WorkerId& worker, std::int64_t position);
absl::StatusOr<std::vector<EventRecord>> ReadEvents(Transaction& tx,
                                                    const EventFilter& filter,
                                                    std::int64_t position,
                                                    int limit);
absl::StatusOr<std::int64_t> LastPosition(Transaction& tx);

/// Whether StampEvents has anything to do or to return. Errors: as StampEvents.
absl::StatusOr<bool> EventsWait(Transaction& tx, const WorkerId& worker);

/// The statement behind a read, for those who check how it is run.
const std::string& ReadEventsSql(const EventFilter& filter);

}  // namespace trove::sqlite
