#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "trove/v1/audit.pb.h"
#include "trove/v1/configuration.pb.h"
#include "trove/v1/datastore.pb.h"
#include "trove/v1/event.pb.h"
#include "trove/v1/flavor.pb.h"
#include "trove/v1/instance.pb.h"
#include "trove/v1/limits.pb.h"
#include "trove/v1/operation.pb.h"
#include "trove/v1/token.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/base/secret.h"

namespace trove::client {

/// Where a Trove is and who asks.
struct ClientOptions {
  std::string endpoint;  ///< host:port of the public gRPC listener
  Secret token;
  std::string ca_pem;  ///< the endpoints' authority
  absl::Duration patience = absl::Seconds(
      5);  ///< how long a service that is away is asked again; a restart takes a second
};

/// Reads TROVE_GRPC_ENDPOINT, TROVE_TOKEN and TROVE_CA, which `trovectl up` writes to `client.env`.
/// Errors: kFailedPrecondition names what is missing and how to set it; those of reading the file.
absl::StatusOr<ClientOptions> OptionsFromEnvironment();

bool HasEnded(const v1::Operation& operation);

/// What became of an operation that has ended. Errors: kAborted: it failed, and why; kCancelled: it
/// was cancelled.
absl::Status OutcomeOf(const v1::Operation& ended);

/// Trove's public API for C++ programs: blocking calls with a deadline. Thread-safe.
///
/// What changes something carries a request id: that of the request, or a new one. While the
/// service is away a call is made again, with the same id, so that whatever became of the first
/// one nothing is done twice.
///
/// Errors are the server's, with their ErrorDetail (libtrove/model/errors.h). kUnavailable: not
/// reached within the options' patience; kDeadlineExceeded: no answer by the call's deadline, and a
/// change may have been made: make the call again with the same request id.
class Client {
 public:
  using InstanceOr = absl::StatusOr<v1::Instance>;
  /// Told when a connection that is watched is lost, once each time; it is made again.
  using OnLost = std::function<void(const absl::Status&)>;

  explicit Client(const ClientOptions& options);
  ~Client();

  // ---- Instances: as the rpcs of trove.v1.InstanceService ----

  InstanceOr CreateInstance(const Call& call, const v1::CreateInstanceRequest& request);
  InstanceOr GetInstance(const Call& call, const std::string& id);
  /// All pages.
  absl::StatusOr<std::vector<v1::Instance>> ListInstances(const Call& call);
  InstanceOr RenameInstance(const Call& call, const std::string& id, const std::string& name);
  InstanceOr DeleteInstance(const Call& call, const std::string& id);
  InstanceOr DeleteInstance(const Call& call, const v1::DeleteInstanceRequest& request);
  InstanceOr RestartInstance(const Call& call, const std::string& id);
  InstanceOr RestartInstance(const Call& call, const v1::RestartInstanceRequest& request);
  InstanceOr StopInstance(const Call& call, const v1::StopInstanceRequest& request);
  InstanceOr StartInstance(const Call& call, const v1::StartInstanceRequest& request);
  InstanceOr ResizeInstance(const Call& call, const v1::ResizeInstanceRequest& request);
  InstanceOr GrowVolume(const Call& call, const v1::GrowVolumeRequest& request);
  InstanceOr AttachConfiguration(const Call& call, const v1::AttachConfigurationRequest& request);
  InstanceOr DetachConfiguration(const Call& call, const v1::DetachConfigurationRequest& request);
  InstanceOr UpgradeInstance(const Call& call, const v1::UpgradeInstanceRequest& request);
  InstanceOr RebuildInstance(const Call& call, const v1::RebuildInstanceRequest& request);

  /// An instance by id, or by a name that only one has. Errors: kNotFound; kFailedPrecondition:
  /// several have this name, and the message has their ids.
  InstanceOr FindInstance(const Call& call, const std::string& id_or_name);

  // ---- Configuration groups ----

  absl::StatusOr<v1::Configuration> CreateConfiguration(
      const Call& call, const v1::CreateConfigurationRequest& request);
  absl::StatusOr<v1::Configuration> GetConfiguration(const Call& call, const std::string& id);
  /// All pages; without values.
  absl::StatusOr<std::vector<v1::Configuration>> ListConfigurations(const Call& call);
  /// By id, or by a name that only one has, with its values. Errors: as FindInstance.
  absl::StatusOr<v1::Configuration> FindConfiguration(const Call& call,
                                                      const std::string& id_or_name);
  absl::Status DeleteConfiguration(const Call& call, const v1::DeleteConfigurationRequest& request);

  // ---- What can be asked for ----

  absl::StatusOr<std::vector<v1::Datastore>> ListDatastores(const Call& call);
  absl::StatusOr<std::vector<v1::Flavor>> ListFlavors(const Call& call);
  absl::StatusOr<v1::Limits> GetLimits(const Call& call);

  // ---- Operations ----

  absl::StatusOr<v1::Operation> GetOperation(const Call& call, const std::string& id);
  /// The first `most` that fit, youngest first, over as many pages as that takes; 0: all.
  absl::StatusOr<std::vector<v1::Operation>> ListOperations(const Call& call,
                                                            v1::ListOperationsRequest request,
                                                            std::size_t most);
  absl::StatusOr<v1::Operation> CancelOperation(const Call& call,
                                                const v1::CancelOperationRequest& request);
  absl::StatusOr<v1::Operation> RetryOperation(const Call& call,
                                               const v1::RetryOperationRequest& request);

  /// Calls `on_change` with the operation as it is and at each change, and returns it as it ended.
  /// Goes on after a lost connection until the call ends. Errors: kDeadlineExceeded: it has not
  /// ended; kCancelled: `call.stop` was set; the operation goes on in both cases.
  absl::StatusOr<v1::Operation> WatchOperation(
      const Call& call,
      const std::string& id,
      const std::function<void(const v1::Operation&)>& on_change,
      const OnLost& on_lost = {});

  /// Returns an operation once it has ended, however it did. Errors: as WatchOperation.
  absl::StatusOr<v1::Operation> Wait(const Call& call, const std::string& id);

  // ---- Events and audit ----

  /// One page.
  absl::StatusOr<v1::ListEventsResponse> ListEvents(const Call& call,
                                                    const v1::ListEventsRequest& request);
  /// Calls `on_event` with each event, once and in order, until it returns false or the call ends;
  /// goes on after a lost connection where it was. Errors: kCancelled and kDeadlineExceeded when
  /// the call ends; the server's.
  absl::Status WatchEvents(const Call& call,
                           v1::WatchEventsRequest request,
                           const std::function<bool(const v1::Event&)>& on_event,
                           const OnLost& on_lost = {});
  /// The first `most` that fit, youngest first; 0: all.
  absl::StatusOr<std::vector<v1::AuditRecord>> ListAudit(const Call& call,
                                                         v1::ListAuditRecordsRequest request,
                                                         std::size_t most);

  // ---- Besides ----

  absl::StatusOr<v1::CreateTokenResponse> CreateToken(const Call& call,
                                                      const v1::CreateTokenRequest& request);

  /// Names of all services that the server has, by reflection.
  absl::StatusOr<std::vector<std::string>> ListServices(const Call& call);

  /// Calls `package.Service/Method` with a request in JSON and returns each response in JSON, as
  /// the server describes them by reflection. Errors: kInvalidArgument: the JSON does not fit;
  /// kNotFound: no such method.
  absl::StatusOr<std::vector<std::string>> CallJson(const Call& call,
                                                    const std::string& method,
                                                    const std::string& request_json);

 private:
  struct Rep;
  const std::unique_ptr<Rep> rep_;
};

}  // namespace trove::client
