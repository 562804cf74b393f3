#include "services/gateway/views/field_errors.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <absl/strings/cord.h>

#include "trove/v1/error.pb.h"

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"

namespace trove::gateway {
namespace {

using Name = std::pair<std::string_view, std::string_view>;

// A document of ours, and the names of its fields that are not the api's.
struct Names {
  std::string_view root;
  std::vector<Name> names;
};

const Names& InstanceNames() {
  static const Names kNames{"instance",
                            {{"instance.name", "name"},
                             {"flavor_id", "flavorRef"},
                             {"volume_size_gib", "volume.size"},
                             {"datastore", "datastore.type"},
                             {"datastore_version", "datastore.version"},
                             {"datastore_version_number", "datastore.version_number"},
                             {"configuration_id", "configuration"}}};
  return kNames;
}

const Names& ChangeNames() {
  static const Names kNames{"instance",
                            {{"instance.name", "name"}, {"configuration_id", "configuration"}}};
  return kNames;
}

const Names& ResizeNames() {
  static const Names kNames{"resize", {{"flavor_id", "flavorRef"}, {"size_gib", "volume.size"}}};
  return kNames;
}

const Names& ConfigurationNames() {
  static const Names kNames{"configuration",
                            {{"datastore", "datastore.type"},
                             {"datastore_version", "datastore.version"},
                             {"datastore_version_number", "datastore.version_number"}}};
  return kNames;
}

std::string RestName(const Names& names, std::string_view field) {
  for (const auto& [ours, theirs] : names.names) {
    if (field == ours) return std::string(theirs);
  }
  std::string name(field);
  constexpr std::string_view kCollation = ".collation";
  const bool collation =
      name.size() > kCollation.size() &&
      std::string_view(name).substr(name.size() - kCollation.size()) == kCollation;
  if (collation) name.replace(name.size() - kCollation.size(), kCollation.size(), ".collate");
  return name;
}

std::string RestPath(const Names& names, std::string_view field) {
  const std::string name = RestName(names, field);
  std::string path(names.root);
  std::size_t at = 0;
  while (at < name.size()) {
    if (name[at] == '[') {  // an index, as it is
      const std::size_t end = std::min(name.find(']', at), name.size() - 1);
      path += name.substr(at, end + 1 - at);
      at = end + 1;
    } else {
      if (name[at] == '.') ++at;
      const std::size_t end = std::min(name.find_first_of(".[", at), name.size());
      path += "['" + name.substr(at, end - at) + "']";
      at = end;
    }
  }
  return path;
}

// The refusal of one field, with `name_of` its name; every other status as it is.
template <typename NameOf>
absl::Status Retold(const absl::Status& status, NameOf name_of) {
  const auto payload = status.GetPayload(kErrorDetailUrl);
  v1::ErrorDetail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload)) ||
      detail.field_violations_size() == 0) {
    return status;
  }
  const v1::ErrorDetail::FieldViolation& first = detail.field_violations(0);
  if (MessageOf(status) != first.field() + ": " + first.description()) return status;
  absl::Status told(status.code(),
                    "Validation error: " + name_of(first.field()) + " " + first.description());
  told.SetPayload(kErrorDetailUrl, *payload);
  return told;
}

absl::Status Renamed(const Names& names, const absl::Status& status) {
  return Retold(status, [&names](const std::string& field) { return RestPath(names, field); });
}

std::string QueryName(const std::string& field) {
  if (field == "page_token") return "marker";
  if (field == "page_size") return "limit";
  if (field == "after_position") return "after";
  return field;
}

}  // namespace

std::string InstancePath(std::string_view field) {
  return RestPath(InstanceNames(), field);
}

absl::Status InstanceError(const absl::Status& status) {
  return Renamed(InstanceNames(), status);
}

absl::Status ChangeError(const absl::Status& status) {
  return Renamed(ChangeNames(), status);
}

absl::Status ResizeError(const absl::Status& status) {
  return Renamed(ResizeNames(), status);
}

absl::Status ConfigurationError(const absl::Status& status) {
  return Renamed(ConfigurationNames(), status);
}

absl::Status QueryError(const absl::Status& status) {
  return Retold(status, QueryName);
}

}  // namespace trove::gateway
