#include "services/api/instance_view.h"

#include <google/protobuf/timestamp.pb.h>

#include "libtrove/model/instance_state.h"

namespace trove::api {
namespace {

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;

void SetTime(absl::Time time, google::protobuf::Timestamp* message) {
  const std::int64_t nanos = absl::ToUnixNanos(time);
  message->set_seconds(nanos / 1'000'000'000);
  message->set_nanos(static_cast<std::int32_t>(nanos % 1'000'000'000));
}

v1::Instance::Status StatusOf(ShownStatus status) {
  switch (status) {
    case ShownStatus::kBuild:
      return v1::Instance::STATUS_BUILD;
    case ShownStatus::kActive:
      return v1::Instance::STATUS_ACTIVE;
    case ShownStatus::kReboot:
      return v1::Instance::STATUS_REBOOT;
    case ShownStatus::kResize:
      return v1::Instance::STATUS_RESIZE;
    case ShownStatus::kUpgrade:
      return v1::Instance::STATUS_UPGRADE;
    case ShownStatus::kRestartRequired:
      return v1::Instance::STATUS_RESTART_REQUIRED;
    case ShownStatus::kPromote:
      return v1::Instance::STATUS_PROMOTE;
    case ShownStatus::kEject:
      return v1::Instance::STATUS_EJECT;
    case ShownStatus::kDetach:
      return v1::Instance::STATUS_DETACH;
    case ShownStatus::kBackup:
      return v1::Instance::STATUS_BACKUP;
    case ShownStatus::kShutdown:
      return v1::Instance::STATUS_SHUTDOWN;
    case ShownStatus::kError:
      return v1::Instance::STATUS_ERROR;
  }
  return v1::Instance::STATUS_UNSPECIFIED;
}

v1::Instance::OperatingStatus OperatingStatusMessage(OperatingStatus status) {
  switch (status) {
    case OperatingStatus::kNone:
      return v1::Instance::OPERATING_STATUS_UNSPECIFIED;
    case OperatingStatus::kHealthy:
      return v1::Instance::OPERATING_STATUS_HEALTHY;
    case OperatingStatus::kActive:
      return v1::Instance::OPERATING_STATUS_ACTIVE;
    case OperatingStatus::kBlocked:
      return v1::Instance::OPERATING_STATUS_BLOCKED;
    case OperatingStatus::kShutdown:
    case OperatingStatus::kDeleted:
      return v1::Instance::OPERATING_STATUS_SHUTDOWN;
    case OperatingStatus::kFailed:
      return v1::Instance::OPERATING_STATUS_FAILED;
    case OperatingStatus::kBuild:
    case OperatingStatus::kPromote:
    case OperatingStatus::kEject:
      return v1::Instance::OPERATING_STATUS_BUILD;
    case OperatingStatus::kNew:
      return v1::Instance::OPERATING_STATUS_NEW;
    case OperatingStatus::kRestarting:
      return v1::Instance::OPERATING_STATUS_RESTARTING;
    case OperatingStatus::kRestartRequired:
      return v1::Instance::OPERATING_STATUS_RESTART_REQUIRED;
    case OperatingStatus::kError:
      return v1::Instance::OPERATING_STATUS_ERROR;
  }
  return v1::Instance::OPERATING_STATUS_UNSPECIFIED;
}

// Why it is not ACTIVE and HEALTHY: what its operation says, else what is known of its guest.
void FillReason(const InstanceView& view, v1::Instance* instance) {
  const Instance& stored = view.instance;
  if (view.operation) {
    const Operation& operation = *view.operation;
    v1::Instance::Reason* reason = instance->mutable_reason();
    const StepRecord* step = operation.steps.empty() ? nullptr : &operation.steps.back();
    reason->set_step(step == nullptr ? operation.kind : step->name);
    reason->set_waiting_for(operation.reason);
    SetTime(operation.waiting_since.value_or(operation.updated_at), reason->mutable_since());
    reason->set_last_error(step == nullptr ? operation.error : step->last_error);
    reason->set_help(operation.help);
    return;
  }
  const OperatingStatus operating = OperatingStatusOf(stored);
  const bool well = stored.task == TaskStatus::kNone && operating == OperatingStatus::kHealthy;
  if (well) return;
  v1::Instance::Reason* reason = instance->mutable_reason();
  reason->set_last_error(stored.fault ? stored.fault->message : view.guest_message);
  if (IsErrorTask(stored.task)) {
    SetTime(stored.fault ? stored.fault->created_at : stored.updated_at, reason->mutable_since());
    reason->set_waiting_for("nothing: the last operation failed");
    reason->set_help("delete the instance, or ask the operator to look at the fault");
  } else if (stored.silent_since) {
    SetTime(*stored.silent_since, reason->mutable_since());
    reason->set_waiting_for("a word from the guest agent");
    reason->set_help("the database may still work; the operator should look at the guest's host");
  } else {
    SetTime(stored.service_updated_at, reason->mutable_since());
    reason->set_waiting_for("the database server to answer queries");
    reason->set_help("restart the instance if this lasts");
  }
}

void FillEndpoint(const InstanceView& view,
                  const ConnectionSchemes& schemes,
                  v1::Instance* instance) {
  if (!view.endpoint || view.endpoint->address.empty()) return;
  const Endpoint& endpoint = *view.endpoint;
  v1::Instance::Address* address = instance->add_addresses();
  address->set_address(endpoint.address);
  address->set_port(endpoint.port);
  address->set_type(view.instance.access.is_public ? "public" : "private");
  const auto scheme = schemes.find(view.version.datastore_name);
  if (scheme != schemes.end()) {
    instance->set_connection_uri(scheme->second + "://" + endpoint.address + ":" +
                                 std::to_string(endpoint.port) + "/");
  }
}

v1::Operation::State StateOf(OperationState state) {
  switch (state) {
    case OperationState::kPending:
      return v1::Operation::STATE_PENDING;
    case OperationState::kRunning:
      return v1::Operation::STATE_RUNNING;
    case OperationState::kWaiting:
      return v1::Operation::STATE_WAITING;
    case OperationState::kCancelling:
      return v1::Operation::STATE_CANCELLING;
    case OperationState::kSucceeded:
      return v1::Operation::STATE_SUCCEEDED;
    case OperationState::kFailed:
      return v1::Operation::STATE_FAILED;
    case OperationState::kCancelled:
      return v1::Operation::STATE_CANCELLED;
  }
  return v1::Operation::STATE_UNSPECIFIED;
}

v1::Operation::Step::State StepStateOf(StepState state) {
  switch (state) {
    case StepState::kPending:
      return v1::Operation::Step::STATE_PENDING;
    case StepState::kRunning:
      return v1::Operation::Step::STATE_RUNNING;
    case StepState::kDone:
      return v1::Operation::Step::STATE_DONE;
    case StepState::kFailed:
      return v1::Operation::Step::STATE_FAILED;
    case StepState::kUndone:
      return v1::Operation::Step::STATE_UNDONE;
  }
  return v1::Operation::Step::STATE_UNSPECIFIED;
}

}  // namespace

ConnectionSchemes ConnectionSchemesOf(const std::vector<Manifest>& manifests) {
  ConnectionSchemes schemes;
  for (const Manifest& manifest : manifests)
    schemes[manifest.datastore.name] = manifest.connection_scheme;
  return schemes;
}

void FillInstance(const InstanceView& view,
                  const ConnectionSchemes& schemes,
                  bool admin,
                  v1::Instance* instance) {
  const Instance& stored = view.instance;
  instance->set_id(stored.id.value());
  instance->set_project_id(stored.project_id.value());
  instance->set_name(stored.name);
  instance->set_status(StatusOf(ShownStatusOf(stored, false)));
  instance->set_operating_status(OperatingStatusMessage(OperatingStatusOf(stored)));
  instance->set_datastore_id(view.version.datastore_id.value());
  instance->set_datastore_name(view.version.datastore_name);
  instance->set_version_id(stored.version_id.value());
  instance->set_version_name(view.version.name);
  instance->set_version_number(view.version.number);
  instance->set_flavor_id(stored.flavor_id.value());
  v1::Instance::Volume* volume = instance->mutable_volume();
  if (view.volume_id) volume->set_id(view.volume_id->value());
  volume->set_size_gib(stored.volume_size_gib);
  const double used = static_cast<double>(view.volume_used_bytes) / kGib;
  volume->set_used_gib(used);
  if (stored.volume_size_gib > 0) volume->set_used_percent(used / stored.volume_size_gib * 100);
  instance->mutable_access()->set_is_public(stored.access.is_public);
  for (const std::string& cidr : stored.access.allowed_cidrs)
    instance->mutable_access()->add_allowed_cidrs(cidr);
  instance->set_region(stored.region);
  FillEndpoint(view, schemes, instance);
  FillReason(view, instance);
  if (stored.fault) {
    instance->mutable_fault()->set_message(stored.fault->message);
    if (admin) instance->mutable_fault()->set_details(stored.fault->details);
    SetTime(stored.fault->created_at, instance->mutable_fault()->mutable_created_at());
  }
  if (view.operation) instance->set_operation_id(view.operation->id.value());
  SetTime(stored.created_at, instance->mutable_created_at());
  SetTime(stored.updated_at, instance->mutable_updated_at());
  if (stored.service_updated_at > absl::InfinitePast()) {
    SetTime(stored.service_updated_at, instance->mutable_service_status_updated_at());
  }
  instance->set_version(stored.version);
}

void FillOperation(const Operation& operation, v1::Operation* message) {
  message->set_id(operation.id.value());
  message->set_project_id(operation.project_id.value());
  message->set_kind(operation.kind);
  message->set_resource("instances/" + operation.instance_id.value());
  message->set_state(StateOf(operation.state));
  for (const StepRecord& step : operation.steps) {
    v1::Operation::Step* added = message->add_steps();
    added->set_name(step.name);
    added->set_state(StepStateOf(step.state));
    added->set_attempts(step.attempts);
    if (step.started_at) SetTime(*step.started_at, added->mutable_started_at());
    if (step.finished_at) SetTime(*step.finished_at, added->mutable_finished_at());
    added->set_last_error(step.last_error);
  }
  message->set_reason(operation.reason);
  if (operation.waiting_since) SetTime(*operation.waiting_since, message->mutable_waiting_since());
  if (!IsEnded(operation.state) && operation.due_at != absl::InfiniteFuture()) {
    SetTime(operation.due_at, message->mutable_due_at());
  }
  if (operation.deadline != absl::InfiniteFuture())
    SetTime(operation.deadline, message->mutable_deadline());
  message->set_error(operation.error);
  message->set_help(operation.help);
  SetTime(operation.created_at, message->mutable_created_at());
  SetTime(operation.updated_at, message->mutable_updated_at());
  if (operation.finished_at) SetTime(*operation.finished_at, message->mutable_finished_at());
  message->set_requested_by(operation.requested_by);
  message->set_version(operation.version);
}

}  // namespace trove::api
