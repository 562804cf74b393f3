#pragma once

#include <map>
#include <string>

#include <absl/time/time.h>

#include "libtrove/base/id.h"

namespace trove {

/// A named set of server parameters that instances of one datastore version may use.
struct Configuration {
  ConfigurationId id;
  ProjectId project_id;
  std::string name;
  std::string description;
  VersionId version_id;
  std::map<std::string, std::string> values;  ///< by parameter, each as the JSON text of its value
  absl::Time created_at = absl::InfinitePast();
  absl::Time updated_at = absl::InfinitePast();

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

}  // namespace trove
