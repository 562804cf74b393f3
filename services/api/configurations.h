#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>

#include "trove/v1/configuration.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/model/manifest.h"
#include "libtrove/store/store.h"
#include "services/api/policy.h"
#include "services/api/requests.h"

namespace trove::api {

/// Configuration groups. Thread-safe.
class Configurations {
 public:
  /// `store` and `requests` must outlive this object. `default_datastore` is used when none is
  /// asked for.
  Configurations(Store& store,
                 const Requests& requests,
                 std::vector<Manifest> manifests,
                 std::string default_datastore);

  absl::Status Create(const Call& call,
                      const Caller& caller,
                      const v1::CreateConfigurationRequest& request,
                      v1::Configuration* response);
  absl::Status Get(const Call& call,
                   const Caller& caller,
                   const v1::GetConfigurationRequest& request,
                   v1::Configuration* response);
  absl::Status List(const Call& call,
                    const Caller& caller,
                    const v1::ListConfigurationsRequest& request,
                    v1::ListConfigurationsResponse* response);
  absl::Status Delete(const Call& call,
                      const Caller& caller,
                      const v1::DeleteConfigurationRequest& request,
                      v1::DeleteConfigurationResponse* response);

 private:
  absl::StatusOr<ConfigurationView> Plan(const Call& call,
                                         const Caller& caller,
                                         const v1::CreateConfigurationRequest& request);

  Store& store_;
  const Requests& requests_;
  const std::vector<Manifest> manifests_;
  const std::string default_datastore_;
};

}  // namespace trove::api
