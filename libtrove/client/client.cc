#include "libtrove/client/client.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/client/client_rep.h"
#include "libtrove/client/json_calls.h"
#include "libtrove/model/errors.h"
#include "libtrove/rpc/channel.h"

namespace trove::client {
namespace {

constexpr int kPageSize = 100;
constexpr absl::Duration kNap = absl::Milliseconds(100);

// The one with this name. `what` is `instance`.
template <typename Resource>
absl::StatusOr<std::string> IdOf(const std::vector<Resource>& all,
                                 const std::string& what,
                                 const std::string& name,
                                 Reason not_found) {
  std::string ids;
  int found = 0;
  for (const Resource& each : all) {
    if (each.name() != name) continue;
    ids += (ids.empty() ? "" : " ") + each.id();
    ++found;
  }
  if (found == 1) return ids;
  if (found == 0) return MakeError(not_found, "there is no " + what + " " + name);
  return absl::FailedPreconditionError("several " + what + "s are named " + name +
                                       ", give an id: " + ids);
}

}  // namespace

absl::StatusOr<ClientOptions> OptionsFromEnvironment() {
  std::string texts[3];
  const char* names[3] = {"TROVE_GRPC_ENDPOINT", "TROVE_TOKEN", "TROVE_CA"};
  for (int i = 0; i < 3; ++i) {
    const char* text = std::getenv(names[i]);
    if (text == nullptr || *text == '\0') {
      return absl::FailedPreconditionError(
          std::string(names[i]) +
          " is not set: run `. DIR/client.env`, where DIR is the data directory of `trovectl up`");
    }
    texts[i] = text;
  }
  TROVE_ASSIGN_OR_RETURN(std::string ca_pem, ReadFile(texts[2]));
  ClientOptions options;
  options.endpoint = texts[0];
  options.token = Secret(texts[1]);
  options.ca_pem = std::move(ca_pem);
  return options;
}

bool Pause(const Call& call, absl::Duration time) {
  const absl::Time until = absl::Now() + time;
  while (call.Check().ok()) {
    const absl::Duration left = until - absl::Now();
    if (left <= absl::ZeroDuration()) return true;
    const absl::Duration nap = std::min({left, kNap, call.Remaining()});
    ::poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(nap)) + 1);
  }
  return false;
}

Client::Rep::Rep(const ClientOptions& options, std::shared_ptr<grpc::Channel> to)
    : endpoint(options.endpoint),
      patience(options.patience),
      channel(std::move(to)),
      extras{.bearer_token = options.token, .wait_for_server = false},
      audit(v1::AuditService::NewStub(channel)),
      configurations(v1::ConfigurationService::NewStub(channel)),
      datastores(v1::DatastoreService::NewStub(channel)),
      events(v1::EventService::NewStub(channel)),
      flavors(v1::FlavorService::NewStub(channel)),
      instances(v1::InstanceService::NewStub(channel)),
      limits(v1::LimitsService::NewStub(channel)),
      operations(v1::OperationService::NewStub(channel)),
      tokens(v1::TokenService::NewStub(channel)) {}

absl::Status Client::Rep::Explain(const absl::Status& status) const {
  if (status.GetPayload(kErrorDetailUrl)) return status;
  const std::string said = MessageOf(status);
  if (absl::IsUnavailable(status)) {
    // The library's words for it are many; of a handshake that fails it says that much.
    if (said.find("andshake") != std::string::npos ||
        said.find("ertificate") != std::string::npos) {
      return MakeError(Reason::kUnavailable,
                       "whoever answers at " + endpoint + " is not the Trove of TROVE_CA",
                       {.help = "Read DIR/client.env of the mesh that you mean again."});
    }
    return MakeError(
        Reason::kUnavailable,
        "Trove does not answer at " + endpoint,
        {.help = "`trovectl status --data-dir DIR` says whether it is up, DIR/client.env where."});
  }
  if (absl::IsDeadlineExceeded(status))
    return MakeError(Reason::kTimedOut, "Trove at " + endpoint + " gave no answer in time");
  return status;
}

Client::Client(const ClientOptions& options)
    : rep_(std::make_unique<Rep>(options, rpc::PublicChannel(options.endpoint, options.ca_pem))) {}

Client::~Client() = default;

Client::InstanceOr Client::CreateInstance(const Call& call,
                                          const v1::CreateInstanceRequest& request) {
  return rep_->Change(*rep_->instances, &v1::InstanceService::Stub::CreateInstance, call, request);
}

Client::InstanceOr Client::GetInstance(const Call& call, const std::string& id) {
  v1::GetInstanceRequest request;
  request.set_id(id);
  return rep_->Ask(*rep_->instances, &v1::InstanceService::Stub::GetInstance, call, request);
}

absl::StatusOr<std::vector<v1::Instance>> Client::ListInstances(const Call& call) {
  std::vector<v1::Instance> instances;
  v1::ListInstancesRequest request;
  request.set_page_size(kPageSize);
  do {
    TROVE_ASSIGN_OR_RETURN(
        const v1::ListInstancesResponse page,
        rep_->Ask(*rep_->instances, &v1::InstanceService::Stub::ListInstances, call, request));
    instances.insert(instances.end(), page.instances().begin(), page.instances().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return instances;
}

Client::InstanceOr Client::RenameInstance(const Call& call,
                                          const std::string& id,
                                          const std::string& name) {
  v1::UpdateInstanceRequest request;
  request.mutable_instance()->set_id(id);
  request.mutable_instance()->set_name(name);
  request.mutable_update_mask()->add_paths("name");
  return rep_->Change(*rep_->instances, &v1::InstanceService::Stub::UpdateInstance, call, request);
}

Client::InstanceOr Client::DeleteInstance(const Call& call, const std::string& id) {
  v1::DeleteInstanceRequest request;
  request.set_id(id);
  return DeleteInstance(call, request);
}

Client::InstanceOr Client::DeleteInstance(const Call& call,
                                          const v1::DeleteInstanceRequest& request) {
  return rep_->Change(*rep_->instances, &v1::InstanceService::Stub::DeleteInstance, call, request);
}

Client::InstanceOr Client::RestartInstance(const Call& call, const std::string& id) {
  v1::RestartInstanceRequest request;
  request.set_id(id);
  return RestartInstance(call, request);
}

Client::InstanceOr Client::RestartInstance(const Call& call,
                                           const v1::RestartInstanceRequest& request) {
  return rep_->Change(*rep_->instances, &v1::InstanceService::Stub::RestartInstance, call, request);
}

Client::InstanceOr Client::StopInstance(const Call& call, const v1::StopInstanceRequest& request) {
  return rep_->Change(*rep_->instances, &v1::InstanceService::Stub::StopInstance, call, request);
}

Client::InstanceOr Client::StartInstance(const Call& call,
                                         const v1::StartInstanceRequest& request) {
  return rep_->Change(*rep_->instances, &v1::InstanceService::Stub::StartInstance, call, request);
}

Client::InstanceOr Client::ResizeInstance(const Call& call,
                                          const v1::ResizeInstanceRequest& request) {
  return rep_->Change(*rep_->instances, &v1::InstanceService::Stub::ResizeInstance, call, request);
}

Client::InstanceOr Client::GrowVolume(const Call& call, const v1::GrowVolumeRequest& request) {
  return rep_->Change(*rep_->instances, &v1::InstanceService::Stub::GrowVolume, call, request);
}

Client::InstanceOr Client::AttachConfiguration(const Call& call,
                                               const v1::AttachConfigurationRequest& request) {
  return rep_->Change(
      *rep_->instances, &v1::InstanceService::Stub::AttachConfiguration, call, request);
}

Client::InstanceOr Client::DetachConfiguration(const Call& call,
                                               const v1::DetachConfigurationRequest& request) {
  return rep_->Change(
      *rep_->instances, &v1::InstanceService::Stub::DetachConfiguration, call, request);
}

Client::InstanceOr Client::UpgradeInstance(const Call& call,
                                           const v1::UpgradeInstanceRequest& request) {
  return rep_->Change(*rep_->instances, &v1::InstanceService::Stub::UpgradeInstance, call, request);
}

Client::InstanceOr Client::RebuildInstance(const Call& call,
                                           const v1::RebuildInstanceRequest& request) {
  return rep_->Change(*rep_->instances, &v1::InstanceService::Stub::RebuildInstance, call, request);
}

Client::InstanceOr Client::FindInstance(const Call& call, const std::string& id_or_name) {
  if (IsUuid(id_or_name)) {
    InstanceOr by_id = GetInstance(call, id_or_name);
    if (!absl::IsNotFound(by_id.status())) return by_id;
  }
  TROVE_ASSIGN_OR_RETURN(const std::vector<v1::Instance> all, ListInstances(call));
  TROVE_ASSIGN_OR_RETURN(const std::string id,
                         IdOf(all, "instance", id_or_name, Reason::kInstanceNotFound));
  return *std::find_if(
      all.begin(), all.end(), [&](const v1::Instance& each) { return each.id() == id; });
}

absl::StatusOr<v1::Configuration> Client::CreateConfiguration(
    const Call& call, const v1::CreateConfigurationRequest& request) {
  return rep_->Change(
      *rep_->configurations, &v1::ConfigurationService::Stub::CreateConfiguration, call, request);
}

absl::StatusOr<v1::Configuration> Client::GetConfiguration(const Call& call,
                                                           const std::string& id) {
  v1::GetConfigurationRequest request;
  request.set_id(id);
  return rep_->Ask(
      *rep_->configurations, &v1::ConfigurationService::Stub::GetConfiguration, call, request);
}

absl::StatusOr<std::vector<v1::Configuration>> Client::ListConfigurations(const Call& call) {
  std::vector<v1::Configuration> all;
  v1::ListConfigurationsRequest request;
  request.set_page_size(kPageSize);
  do {
    TROVE_ASSIGN_OR_RETURN(const v1::ListConfigurationsResponse page,
                           rep_->Ask(*rep_->configurations,
                                     &v1::ConfigurationService::Stub::ListConfigurations,
                                     call,
                                     request));
    all.insert(all.end(), page.configurations().begin(), page.configurations().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::StatusOr<v1::Configuration> Client::FindConfiguration(const Call& call,
                                                            const std::string& id_or_name) {
  if (IsUuid(id_or_name)) {
    absl::StatusOr<v1::Configuration> by_id = GetConfiguration(call, id_or_name);
    if (!absl::IsNotFound(by_id.status())) return by_id;
  }
  TROVE_ASSIGN_OR_RETURN(const std::vector<v1::Configuration> all, ListConfigurations(call));
  TROVE_ASSIGN_OR_RETURN(const std::string id,
                         IdOf(all, "configuration", id_or_name, Reason::kConfigurationNotFound));
  return GetConfiguration(call, id);
}

absl::Status Client::DeleteConfiguration(const Call& call,
                                         const v1::DeleteConfigurationRequest& request) {
  return rep_
      ->Change(*rep_->configurations,
               &v1::ConfigurationService::Stub::DeleteConfiguration,
               call,
               request)
      .status();
}

absl::StatusOr<std::vector<v1::Datastore>> Client::ListDatastores(const Call& call) {
  TROVE_ASSIGN_OR_RETURN(
      const v1::ListDatastoresResponse response,
      rep_->Ask(*rep_->datastores, &v1::DatastoreService::Stub::ListDatastores, call, {}));
  return std::vector<v1::Datastore>(response.datastores().begin(), response.datastores().end());
}

absl::StatusOr<std::vector<v1::Flavor>> Client::ListFlavors(const Call& call) {
  TROVE_ASSIGN_OR_RETURN(
      const v1::ListFlavorsResponse response,
      rep_->Ask(*rep_->flavors, &v1::FlavorService::Stub::ListFlavors, call, {}));
  return std::vector<v1::Flavor>(response.flavors().begin(), response.flavors().end());
}

absl::StatusOr<v1::Limits> Client::GetLimits(const Call& call) {
  return rep_->Ask(*rep_->limits, &v1::LimitsService::Stub::GetLimits, call, {});
}

absl::StatusOr<v1::CreateTokenResponse> Client::CreateToken(const Call& call,
                                                            const v1::CreateTokenRequest& request) {
  return rep_->Change(*rep_->tokens, &v1::TokenService::Stub::CreateToken, call, request);
}

absl::StatusOr<std::vector<std::string>> Client::ListServices(const Call& call) {
  return rep_->Persist(call, [&] { return ListServicesByReflection(call, rep_->channel); });
}

absl::StatusOr<std::vector<std::string>> Client::CallJson(const Call& call,
                                                          const std::string& method,
                                                          const std::string& request_json) {
  // Once: what the method does is not known here.
  absl::StatusOr<std::vector<std::string>> answers =
      CallByReflection(call, rep_->channel, rep_->extras, method, request_json);
  if (!answers.ok()) return rep_->Explain(answers.status());
  return answers;
}

}  // namespace trove::client
