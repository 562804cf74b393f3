#include "services/api/instances.h"

#include <string>
#include <utility>

#include <openssl/evp.h>

#include "trove/mesh/v1/bus.pb.h"
#include "trove/mesh/v1/operation_input.pb.h"

#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/validation.h"

namespace trove::api {
namespace {

constexpr absl::Duration kRestartLimit = absl::Minutes(5);
// A delete goes on trying this long; it never gives up before a host that was away for a day.
constexpr absl::Duration kDeleteLimit = absl::Hours(48);
constexpr int kDefaultPageSize = 20;

std::string Digest(const std::string& text) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  EVP_Digest(text.data(),
             text.size(),
             reinterpret_cast<unsigned char*>(digest.data()),
             &size,
             EVP_sha256(),
             nullptr);
  digest.resize(size);
  return digest;
}

// Passwords are left out, so that nothing that could be guessed at is kept.
std::string Fingerprint(v1::CreateInstanceRequest request) {
  for (v1::UserSpec& user : *request.mutable_users())
    user.clear_password();
  return Digest("create " + request.SerializeAsString());
}

Requester RequesterOf(const Caller& caller, std::string request_id, std::string fingerprint) {
  return {.project_id = caller.project_id,
          .user = caller.user,
          .admin = caller.IsAdmin(),
          .request_id = std::move(request_id),
          .fingerprint = std::move(fingerprint)};
}

absl::StatusOr<std::string> SealedInput(const v1::CreateInstanceRequest& request,
                                        const OperationId& operation,
                                        const identity::MasterKey& key) {
  mesh::v1::OperationInput input;
  mesh::v1::CreateInput* create = input.mutable_create();
  for (const v1::DatabaseSpec& database : request.databases()) {
    mesh::v1::RequestedDatabase* added = create->add_databases();
    added->set_name(database.name());
    added->set_character_set(database.character_set());
    added->set_collation(database.collation());
  }
  for (const v1::UserSpec& user : request.users()) {
    mesh::v1::RequestedUser* added = create->add_users();
    added->set_name(user.name());
    added->set_host(user.host());
    TROVE_ASSIGN_OR_RETURN(*added->mutable_password()->mutable_box(),
                           key.Seal(Secret(user.password()), operation.value()));
    *added->mutable_databases() = user.databases();
  }
  return input.SerializeAsString();
}

NewAction ActionOn(const InstanceId& id,
                   const Caller& caller,
                   std::string kind,
                   absl::Time deadline) {
  NewAction action;
  action.instance_id = id;
  action.operation.id = OperationId(NewUuid());
  action.operation.instance_id = id;
  action.operation.kind = std::move(kind);
  action.operation.deadline = deadline;
  action.operation.requested_by = caller.user;
  return action;
}

}  // namespace

Instances::Instances(Store& store,
                     Bus& bus,
                     const Clock& clock,
                     const identity::MasterKey& master_key,
                     CreateRules rules)
    : store_(store),
      bus_(bus),
      clock_(clock),
      master_key_(master_key),
      rules_(std::move(rules)),
      schemes_(ConnectionSchemesOf(rules_.manifests)) {}

absl::Status Instances::Get(const Call& call,
                            const Caller& caller,
                            const v1::GetInstanceRequest& request,
                            v1::Instance* response) {
  TROVE_ASSIGN_OR_RETURN(const InstanceView view,
                         store_.GetInstance(call, ScopeOf(caller), InstanceId(request.id())));
  FillInstance(view, schemes_, caller.IsAdmin(), response);
  return absl::OkStatus();
}

absl::Status Instances::List(const Call& call,
                             const Caller& caller,
                             const v1::ListInstancesRequest& request,
                             v1::ListInstancesResponse* response) {
  TROVE_RETURN_IF_ERROR(CheckPageSize("page_size", request.page_size()));
  const int size = request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  TROVE_ASSIGN_OR_RETURN(
      const InstancePage page,
      store_.ListInstances(call, caller.project_id, InstanceId(request.page_token()), size));
  for (const InstanceView& view : page.instances) {
    FillInstance(view, schemes_, caller.IsAdmin(), response->add_instances());
  }
  if (page.more) response->set_next_page_token(page.instances.back().instance.id.value());
  return absl::OkStatus();
}

absl::Status Instances::Create(const Call& call,
                               const Caller& caller,
                               const v1::CreateInstanceRequest& request,
                               v1::Instance* response) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<Datastore> datastores, store_.ListDatastores(call));
  TROVE_ASSIGN_OR_RETURN(const std::vector<Flavor> flavors, store_.ListFlavors(call));
  TROVE_ASSIGN_OR_RETURN(NewInstance planned,
                         PlanCreate(request, caller, datastores, flavors, rules_, clock_.Now()));
  TROVE_ASSIGN_OR_RETURN(planned.operation.input,
                         SealedInput(request, planned.operation.id, master_key_));
  const Requester requester = RequesterOf(caller, request.request_id(), Fingerprint(request));
  return Answer(call, caller, store_.CreateInstance(call, requester, planned), response);
}

absl::Status Instances::Update(const Call& call,
                               const Caller& caller,
                               const v1::UpdateInstanceRequest& request,
                               v1::Instance* response) {
  if (request.update_mask().paths().empty()) {
    return FieldError("update_mask", "must name what to change: name");
  }
  for (const std::string& path : request.update_mask().paths()) {
    if (path != "name") {
      return FieldError("update_mask", path + " cannot be changed this way: only name can");
    }
  }
  TROVE_RETURN_IF_ERROR(CheckName("instance.name", request.instance().name()));
  TROVE_ASSIGN_OR_RETURN(const InstanceView view,
                         store_.RenameInstance(call,
                                               RequesterOf(caller, "", ""),
                                               InstanceId(request.instance().id()),
                                               request.instance().name()));
  FillInstance(view, schemes_, caller.IsAdmin(), response);
  return absl::OkStatus();
}

absl::Status Instances::Delete(const Call& call,
                               const Caller& caller,
                               const v1::DeleteInstanceRequest& request,
                               v1::Instance* response) {
  TROVE_RETURN_IF_ERROR(CheckRequestId("request_id", request.request_id()));
  NewAction action =
      ActionOn(InstanceId(request.id()), caller, "instance.delete", clock_.Now() + kDeleteLimit);
  action.task = TaskStatus::kDeleting;
  mesh::v1::OperationInput input;
  input.mutable_delete_();
  action.operation.input = input.SerializeAsString();
  const Requester requester =
      RequesterOf(caller, request.request_id(), Digest("delete " + request.id()));
  return Answer(call, caller, store_.BeginDelete(call, requester, action), response);
}

absl::Status Instances::Restart(const Call& call,
                                const Caller& caller,
                                const v1::RestartInstanceRequest& request,
                                v1::Instance* response) {
  TROVE_RETURN_IF_ERROR(CheckRequestId("request_id", request.request_id()));
  NewAction action =
      ActionOn(InstanceId(request.id()), caller, "instance.restart", clock_.Now() + kRestartLimit);
  action.task = TaskStatus::kRebooting;
  action.service = ServiceStatus::kRestarting;
  mesh::v1::OperationInput input;
  input.mutable_restart();
  action.operation.input = input.SerializeAsString();
  const Requester requester =
      RequesterOf(caller, request.request_id(), Digest("restart " + request.id()));
  return Answer(call, caller, store_.BeginAction(call, requester, action), response);
}

absl::Status Instances::Answer(const Call& call,
                               const Caller& caller,
                               const absl::StatusOr<Accepted>& accepted,
                               v1::Instance* response) {
  TROVE_RETURN_IF_ERROR(accepted.status());
  mesh::v1::TaskWake wake;
  wake.set_operation_id(accepted->operation_id.value());
  // A hint: the task managers look for themselves each second.
  bus_.Publish(call, TaskWakeSubject(), wake.SerializeAsString()).IgnoreError();
  FillInstance(accepted->view, schemes_, caller.IsAdmin(), response);
  response->set_operation_id(accepted->operation_id.value());
  return absl::OkStatus();
}

}  // namespace trove::api
