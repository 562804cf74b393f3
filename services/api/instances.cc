#include "services/api/instances.h"

#include <optional>
#include <utility>
#include <vector>

#include "trove/mesh/v1/operation_input.pb.h"

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/instance_state.h"
#include "libtrove/model/validation.h"
#include "services/api/operation_plan.h"
#include "services/api/requests.h"
#include "services/api/task_wake.h"

namespace trove::api {
namespace {

constexpr char kCollection[] = "instances";
constexpr int kDefaultPageSize = 20;
// An instance changes a few times a second at most.
constexpr int kMostLooks = 5;

std::string ResourceOf(const std::string& id) {
  return std::string(kCollection) + "/" + id;
}

absl::StatusOr<std::string> SealedInput(const v1::CreateInstanceRequest& request,
                                        const std::optional<Configuration>& configuration,
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
  if (configuration) {
    create->mutable_parameters()->insert(configuration->values.begin(),
                                         configuration->values.end());
  }
  return input.SerializeAsString();
}

// Whether the action could begin now; the store decides it again when it is meant.
absl::Status CheckBeginning(const InstanceView& view, const PlannedAction& planned) {
  if (planned.preempts) return absl::OkStatus();
  TROVE_RETURN_IF_ERROR(CheckAction(planned.action.guard, view.instance, /*backup_running=*/false));
  if (!view.operation) return absl::OkStatus();
  return MakeError(Reason::kOperationRunning,
                   "operation " + view.operation->id.value() + " (" + view.operation->kind +
                       ") runs on instance " + view.instance.id.value() +
                       ": wait until it has ended, or delete the instance",
                   {.retry_after = absl::Seconds(5)});
}

}  // namespace

Instances::Instances(Store& store,
                     Bus& bus,
                     const Clock& clock,
                     const identity::MasterKey& master_key,
                     const Requests& requests,
                     CreateRules rules)
    : store_(store),
      bus_(bus),
      clock_(clock),
      master_key_(master_key),
      requests_(requests),
      rules_(std::move(rules)),
      schemes_(std::make_shared<const ConnectionSchemes>(ConnectionSchemesOf(rules_.manifests))) {}

absl::Status Instances::Get(const Call& call,
                            const Caller& caller,
                            const v1::GetInstanceRequest& request,
                            v1::Instance* response) {
  TROVE_ASSIGN_OR_RETURN(const InstanceView view,
                         store_.GetInstance(call, ScopeOf(caller), InstanceId(request.id())));
  Fill(view, caller, response);
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
  for (const InstanceView& view : page.instances)
    Fill(view, caller, response->add_instances());
  if (page.more) response->set_next_page_token(page.instances.back().instance.id.value());
  return absl::OkStatus();
}

absl::Status Instances::Create(const Call& call,
                               const Caller& caller,
                               const v1::CreateInstanceRequest& request,
                               v1::Instance* response) {
  TROVE_ASSIGN_OR_RETURN(const Requester requester, AskingFor(caller, request));
  if (!request.validate_only()) {
    TROVE_ASSIGN_OR_RETURN(const bool repeated,
                           Repeated(call, caller, requester, kCollection, response));
    if (repeated) return absl::OkStatus();
  }
  TROVE_ASSIGN_OR_RETURN(const std::vector<Datastore> datastores, store_.ListDatastores(call));
  TROVE_ASSIGN_OR_RETURN(const std::vector<Flavor> flavors, store_.ListFlavors(call));
  std::optional<Configuration> configuration;
  if (!request.configuration_id().empty()) {
    TROVE_ASSIGN_OR_RETURN(
        ConfigurationView group,
        store_.GetConfiguration(
            call, caller.project_id, ConfigurationId(request.configuration_id())));
    configuration = std::move(group.configuration);
  }
  TROVE_ASSIGN_OR_RETURN(
      NewInstance planned,
      PlanCreate(request, caller, datastores, flavors, rules_, configuration, clock_.Now()));
  if (request.validate_only()) {
    PlanSubject subject{.kind = planned.operation.kind,
                        .datastore_id = {},
                        .project_id = caller.project_id,
                        .takes = planned.quota,
                        .effects = planned.quota,
                        .notes = {}};
    for (const Datastore& datastore : datastores)
      for (const DatastoreVersion& version : datastore.versions)
        if (version.id == planned.instance.version_id) subject.datastore_id = datastore.id;
    return FillPlan(call, store_, subject, response->mutable_plan());
  }
  TROVE_ASSIGN_OR_RETURN(planned.operation.input,
                         SealedInput(request, configuration, planned.operation.id, master_key_));
  TROVE_ASSIGN_OR_RETURN(const Accepted accepted, store_.CreateInstance(call, requester, planned));
  return Answer(call, caller, accepted, response);
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
  TROVE_ASSIGN_OR_RETURN(const Requester requester, AskingFor(caller, request));
  TROVE_ASSIGN_OR_RETURN(
      const bool repeated,
      Repeated(call, caller, requester, ResourceOf(request.instance().id()), response));
  if (repeated) return absl::OkStatus();
  TROVE_ASSIGN_OR_RETURN(
      const Accepted accepted,
      store_.RenameInstance(
          call, requester, InstanceId(request.instance().id()), request.instance().name()));
  return Answer(call, caller, accepted, response);
}

absl::Status Instances::Begin(const Call& call,
                              const Caller& caller,
                              const google::protobuf::Message& request,
                              const InstanceId& id,
                              bool validate_only,
                              const Plan& plan,
                              v1::Instance* response) {
  TROVE_ASSIGN_OR_RETURN(const Requester requester, AskingFor(caller, request));
  if (!validate_only) {
    TROVE_ASSIGN_OR_RETURN(const bool repeated,
                           Repeated(call, caller, requester, ResourceOf(id.value()), response));
    if (repeated) return absl::OkStatus();
  }
  for (int looks = 1;; ++looks) {
    TROVE_ASSIGN_OR_RETURN(const InstanceView view, store_.GetInstance(call, ScopeOf(caller), id));
    const ActionScene scene{.call = call,
                            .store = store_,
                            .view = view,
                            .caller = caller,
                            .most_volume_gib = rules_.most_volume_gib,
                            .now = clock_.Now()};
    TROVE_ASSIGN_OR_RETURN(const std::optional<PlannedAction> planned, plan(scene));
    if (!planned || validate_only) {
      Fill(view, caller, response);
      if (!planned) {
        if (validate_only) response->mutable_plan()->add_notes("there is nothing to do");
        return absl::OkStatus();
      }
      TROVE_RETURN_IF_ERROR(CheckBeginning(view, *planned));
      return FillActionPlan(call, view, *planned, response->mutable_plan());
    }
    const absl::StatusOr<Accepted> accepted =
        planned->preempts ? store_.BeginDelete(call, requester, planned->action)
                          : store_.BeginAction(call, requester, planned->action);
    // The instance has changed since it was looked at.
    if (absl::IsAborted(accepted.status()) && looks < kMostLooks) continue;
    TROVE_RETURN_IF_ERROR(accepted.status());
    return Answer(call, caller, *accepted, response);
  }
}

absl::Status Instances::FillActionPlan(const Call& call,
                                       const InstanceView& view,
                                       const PlannedAction& planned,
                                       v1::OperationPlan* plan) {
  PlanSubject subject{.kind = planned.action.operation.kind,
                      .datastore_id = view.version.datastore_id,
                      .project_id = view.instance.project_id,
                      .takes = planned.action.quota,
                      .effects = planned.effects,
                      .notes = {}};
  if (view.operation && view.operation->kind == subject.kind) {
    subject.notes.push_back("operation " + view.operation->id.value() + " does this already");
  } else if (view.operation) {
    subject.notes.push_back("cancels operation " + view.operation->id.value() + " (" +
                            view.operation->kind + ")");
  }
  return FillPlan(call, store_, subject, plan);
}

absl::StatusOr<Requester> Instances::AskingFor(const Caller& caller,
                                               const google::protobuf::Message& request) const {
  TROVE_ASSIGN_OR_RETURN(Requester requester, requests_.Ask(caller, request));
  requester.answer = [schemes = schemes_, admin = caller.IsAdmin()](const Accepted& accepted) {
    v1::Instance answer;
    FillInstance(accepted.view, *schemes, admin, &answer);
    if (!accepted.operation_id.empty()) answer.set_operation_id(accepted.operation_id.value());
    return answer.SerializeAsString();
  };
  return requester;
}

absl::StatusOr<bool> Instances::Repeated(const Call& call,
                                         const Caller& caller,
                                         const Requester& requester,
                                         const std::string& resource,
                                         v1::Instance* response) {
  TROVE_ASSIGN_OR_RETURN(const std::optional<Accepted> earlier,
                         requests_.FindAnswer(call, caller, requester, resource));
  if (!earlier) return false;
  TROVE_RETURN_IF_ERROR(Answer(call, caller, *earlier, response));
  return true;
}

absl::Status Instances::Answer(const Call& call,
                               const Caller& caller,
                               const Accepted& accepted,
                               v1::Instance* response) {
  if (!accepted.answer.empty()) return ParseAnswer(accepted.answer, response);
  Fill(accepted.view, caller, response);
  if (accepted.operation_id.empty()) return absl::OkStatus();
  WakeTaskManagers(call, bus_, accepted.operation_id);
  response->set_operation_id(accepted.operation_id.value());
  return absl::OkStatus();
}

void Instances::Fill(const InstanceView& view, const Caller& caller, v1::Instance* response) const {
  FillInstance(view, *schemes_, caller.IsAdmin(), response);
}

}  // namespace trove::api
