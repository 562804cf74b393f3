#include "services/gateway/views/instance_errors.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <absl/strings/cord.h>

#include "trove/v1/error.pb.h"

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"

namespace trove::gateway {
namespace {

// Names that differ between the two documents.
constexpr std::pair<std::string_view, std::string_view> kRestNames[] = {
    {"instance.name", "name"},
    {"flavor_id", "flavorRef"},
    {"volume_size_gib", "volume.size"},
    {"datastore", "datastore.type"},
    {"datastore_version", "datastore.version"},
    {"datastore_version_number", "datastore.version_number"},
};

std::string RestName(std::string_view field) {
  for (const auto& [ours, theirs] : kRestNames) {
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

}  // namespace

std::string RestPath(std::string_view field) {
  const std::string name = RestName(field);
  std::string path = "instance";
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

absl::Status InstanceError(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorDetailUrl);
  v1::ErrorDetail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload)) ||
      detail.field_violations_size() == 0) {
    return status;
  }
  const v1::ErrorDetail::FieldViolation& first = detail.field_violations(0);
  if (MessageOf(status) != first.field() + ": " + first.description()) return status;
  absl::Status told(status.code(),
                    "Validation error: " + RestPath(first.field()) + " " + first.description());
  told.SetPayload(kErrorDetailUrl, *payload);
  return told;
}

}  // namespace trove::gateway
