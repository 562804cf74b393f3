#include "libtrove/client/client.h"

#include <poll.h>

#include <cstdlib>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "trove/v1/datastore.grpc.pb.h"
#include "trove/v1/flavor.grpc.pb.h"
#include "trove/v1/instance.grpc.pb.h"
#include "trove/v1/limits.grpc.pb.h"
#include "trove/v1/operation.grpc.pb.h"
#include "trove/v1/token.grpc.pb.h"

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/client/json_calls.h"
#include "libtrove/rpc/channel.h"
#include "libtrove/rpc/outgoing_call.h"
#include "libtrove/rpc/status.h"

namespace trove::client {
namespace {

constexpr int kPageSize = 100;
constexpr int kRewatchMs = 200;

bool HasEnded(const v1::Operation& operation) {
  return operation.state() == v1::Operation::STATE_SUCCEEDED ||
         operation.state() == v1::Operation::STATE_FAILED ||
         operation.state() == v1::Operation::STATE_CANCELLED;
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
  return ClientOptions{texts[0], Secret(texts[1]), std::move(ca_pem)};
}

struct Client::Rep {
  Rep(const ClientOptions& options, std::shared_ptr<grpc::Channel> to)
      : channel(std::move(to)),
        extras{.bearer_token = options.token, .wait_for_server = false},
        instances(v1::InstanceService::NewStub(channel)),
        datastores(v1::DatastoreService::NewStub(channel)),
        flavors(v1::FlavorService::NewStub(channel)),
        limits(v1::LimitsService::NewStub(channel)),
        operations(v1::OperationService::NewStub(channel)),
        tokens(v1::TokenService::NewStub(channel)) {}

  const std::shared_ptr<grpc::Channel> channel;
  const rpc::CallExtras extras;
  const std::unique_ptr<v1::InstanceService::Stub> instances;
  const std::unique_ptr<v1::DatastoreService::Stub> datastores;
  const std::unique_ptr<v1::FlavorService::Stub> flavors;
  const std::unique_ptr<v1::LimitsService::Stub> limits;
  const std::unique_ptr<v1::OperationService::Stub> operations;
  const std::unique_ptr<v1::TokenService::Stub> tokens;
};

Client::Client(const ClientOptions& options)
    : rep_(std::make_unique<Rep>(options, rpc::PublicChannel(options.endpoint, options.ca_pem))) {}

Client::~Client() = default;

absl::StatusOr<v1::Instance> Client::CreateInstance(const Call& call,
                                                    const v1::CreateInstanceRequest& request) {
  v1::CreateInstanceRequest safe = request;
  if (safe.request_id().empty()) safe.set_request_id(NewUuid());
  return rpc::CallUnary(
      *rep_->instances, &v1::InstanceService::Stub::CreateInstance, call, safe, rep_->extras);
}

absl::StatusOr<v1::Instance> Client::GetInstance(const Call& call, const std::string& id) {
  v1::GetInstanceRequest request;
  request.set_id(id);
  return rpc::CallUnary(
      *rep_->instances, &v1::InstanceService::Stub::GetInstance, call, request, rep_->extras);
}

absl::StatusOr<std::vector<v1::Instance>> Client::ListInstances(const Call& call) {
  std::vector<v1::Instance> instances;
  v1::ListInstancesRequest request;
  request.set_page_size(kPageSize);
  do {
    TROVE_ASSIGN_OR_RETURN(const v1::ListInstancesResponse page,
                           rpc::CallUnary(*rep_->instances,
                                          &v1::InstanceService::Stub::ListInstances,
                                          call,
                                          request,
                                          rep_->extras));
    instances.insert(instances.end(), page.instances().begin(), page.instances().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return instances;
}

absl::StatusOr<v1::Instance> Client::RenameInstance(const Call& call,
                                                    const std::string& id,
                                                    const std::string& name) {
  v1::UpdateInstanceRequest request;
  request.mutable_instance()->set_id(id);
  request.mutable_instance()->set_name(name);
  request.mutable_update_mask()->add_paths("name");
  return rpc::CallUnary(
      *rep_->instances, &v1::InstanceService::Stub::UpdateInstance, call, request, rep_->extras);
}

absl::StatusOr<v1::Instance> Client::DeleteInstance(const Call& call, const std::string& id) {
  v1::DeleteInstanceRequest request;
  request.set_id(id);
  return rpc::CallUnary(
      *rep_->instances, &v1::InstanceService::Stub::DeleteInstance, call, request, rep_->extras);
}

absl::StatusOr<v1::Instance> Client::RestartInstance(const Call& call, const std::string& id) {
  v1::RestartInstanceRequest request;
  request.set_id(id);
  return rpc::CallUnary(
      *rep_->instances, &v1::InstanceService::Stub::RestartInstance, call, request, rep_->extras);
}

absl::StatusOr<v1::Instance> Client::FindInstance(const Call& call, const std::string& id_or_name) {
  if (IsUuid(id_or_name)) {
    absl::StatusOr<v1::Instance> by_id = GetInstance(call, id_or_name);
    if (!absl::IsNotFound(by_id.status())) return by_id;
  }
  TROVE_ASSIGN_OR_RETURN(const std::vector<v1::Instance> all, ListInstances(call));
  std::vector<const v1::Instance*> found;
  for (const v1::Instance& instance : all) {
    if (instance.name() == id_or_name) found.push_back(&instance);
  }
  if (found.size() == 1) return *found[0];
  if (found.empty()) return absl::NotFoundError("there is no instance " + id_or_name);
  std::string ids;
  for (const v1::Instance* instance : found)
    ids += " " + instance->id();
  return absl::FailedPreconditionError("several instances are named " + id_or_name +
                                       ", give an id:" + ids);
}

absl::StatusOr<std::vector<v1::Datastore>> Client::ListDatastores(const Call& call) {
  TROVE_ASSIGN_OR_RETURN(
      const v1::ListDatastoresResponse response,
      rpc::CallUnary(
          *rep_->datastores, &v1::DatastoreService::Stub::ListDatastores, call, {}, rep_->extras));
  return std::vector<v1::Datastore>(response.datastores().begin(), response.datastores().end());
}

absl::StatusOr<std::vector<v1::Flavor>> Client::ListFlavors(const Call& call) {
  TROVE_ASSIGN_OR_RETURN(
      const v1::ListFlavorsResponse response,
      rpc::CallUnary(
          *rep_->flavors, &v1::FlavorService::Stub::ListFlavors, call, {}, rep_->extras));
  return std::vector<v1::Flavor>(response.flavors().begin(), response.flavors().end());
}

absl::StatusOr<v1::Limits> Client::GetLimits(const Call& call) {
  return rpc::CallUnary(*rep_->limits, &v1::LimitsService::Stub::GetLimits, call, {}, rep_->extras);
}

absl::StatusOr<v1::Operation> Client::GetOperation(const Call& call, const std::string& id) {
  v1::GetOperationRequest request;
  request.set_id(id);
  return rpc::CallUnary(
      *rep_->operations, &v1::OperationService::Stub::GetOperation, call, request, rep_->extras);
}

absl::StatusOr<v1::Operation> Client::WatchOperation(
    const Call& call,
    const std::string& id,
    const std::function<void(const v1::Operation&)>& on_change) {
  v1::WatchOperationRequest request;
  request.set_id(id);
  v1::Operation last;
  last.set_version(-1);
  while (true) {
    TROVE_RETURN_IF_ERROR(call.Check());
    rpc::OutgoingCall outgoing(call, rep_->extras);
    const auto reader = rep_->operations->WatchOperation(outgoing.context(), request);
    v1::Operation operation;
    while (reader->Read(&operation)) {
      if (operation.version() > last.version()) on_change(operation);
      last = operation;
    }
    const absl::Status status = rpc::FromGrpc(reader->Finish());
    if (HasEnded(last)) return last;
    // A service that restarts is back soon.
    if (!status.ok() && !absl::IsUnavailable(status)) return status;
    ::poll(nullptr, 0, kRewatchMs);
  }
}

absl::StatusOr<v1::CreateTokenResponse> Client::CreateToken(const Call& call,
                                                            const v1::CreateTokenRequest& request) {
  return rpc::CallUnary(
      *rep_->tokens, &v1::TokenService::Stub::CreateToken, call, request, rep_->extras);
}

absl::StatusOr<std::vector<std::string>> Client::ListServices(const Call& call) {
  return ListServicesByReflection(call, rep_->channel);
}

absl::StatusOr<std::vector<std::string>> Client::CallJson(const Call& call,
                                                          const std::string& method,
                                                          const std::string& request_json) {
  return CallByReflection(call, rep_->channel, rep_->extras, method, request_json);
}

}  // namespace trove::client
