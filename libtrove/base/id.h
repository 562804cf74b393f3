#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

namespace trove {

/// A string that identifies one kind of thing, so that two kinds cannot be swapped. Holds any text;
/// whoever takes one from outside checks it first (IsUuid in uuid.h).
template <typename Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string value) : value_(std::move(value)) {}

  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }

  friend auto operator<=>(const Id&, const Id&) = default;

 private:
  std::string value_;
};

using InstanceId = Id<struct InstanceIdTag>;
using GuestId = Id<struct GuestIdTag>;
using VolumeId = Id<struct VolumeIdTag>;
using EndpointId = Id<struct EndpointIdTag>;
using OperationId = Id<struct OperationIdTag>;
using DatastoreId = Id<struct DatastoreIdTag>;
using VersionId = Id<struct VersionIdTag>;
using FlavorId = Id<struct FlavorIdTag>;
using ProjectId = Id<struct ProjectIdTag>;
using ConfigurationId = Id<struct ConfigurationIdTag>;
using WorkerId = Id<struct WorkerIdTag>;  ///< one process that claims operations or shards
using EventId = Id<struct EventIdTag>;
using JobId = Id<struct JobIdTag>;  ///< operation/step/attempt

}  // namespace trove

template <typename Tag>
struct std::hash<trove::Id<Tag>> {
  std::size_t operator()(const trove::Id<Tag>& id) const {
    return std::hash<std::string>()(id.value());
  }
};
