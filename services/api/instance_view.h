#pragma once

#include <map>
#include <string>
#include <vector>

#include "trove/v1/instance.pb.h"

#include "libtrove/model/manifest.h"
#include "libtrove/store/records.h"

namespace trove::api {

/// How clients connect to instances of each datastore, by the datastore's name.
using ConnectionSchemes = std::map<std::string, std::string>;

ConnectionSchemes ConnectionSchemesOf(const std::vector<Manifest>& manifests);

/// An instance as its tenant sees it; `admin` sees the details of a fault too.
void FillInstance(const InstanceView& view,
                  const ConnectionSchemes& schemes,
                  bool admin,
                  v1::Instance* instance);

}  // namespace trove::api
