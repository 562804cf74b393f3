#include "services/api/services.h"

#include <optional>
#include <string>
#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/rpc/handlers.h"
#include "services/api/instance_view.h"

namespace trove::api {
namespace {

/// A read: through the gate, then `read` (call, caller → status), at once.
template <typename Read>
grpc::ServerUnaryReactor* ReadRpc(Gate& gate,
                                  grpc::CallbackServerContext* context,
                                  Action action,
                                  Read read) {
  return rpc::Inline(context, [&](const Call& call) -> absl::Status {
    TROVE_ASSIGN_OR_RETURN(const Caller caller, gate.Admit(call, *context, action));
    return read(call, caller);
  });
}

/// A write: through the gate, then `write` (call, caller → status), on the executor; recorded.
template <typename Write>
grpc::ServerUnaryReactor* WriteRpc(Gate& gate,
                                   Executor& writers,
                                   grpc::CallbackServerContext* context,
                                   Action action,
                                   std::string name,
                                   std::string resource,
                                   Write write) {
  return rpc::Pooled(
      writers,
      context,
      [&gate, context, action, name = std::move(name), resource = std::move(resource), write](
          const Call& call) -> absl::Status {
        TROVE_ASSIGN_OR_RETURN(const Caller caller, gate.Admit(call, *context, action));
        const absl::Status outcome = write(call, caller);
        gate.Audit(call, caller, name, resource, outcome);
        return outcome;
      });
}

}  // namespace

grpc::ServerUnaryReactor* InstanceService::GetInstance(grpc::CallbackServerContext* context,
                                                       const v1::GetInstanceRequest* request,
                                                       v1::Instance* response) {
  return ReadRpc(
      gate_, context, Action::kReadInstance, [&](const Call& call, const Caller& caller) {
        return instances_.Get(call, caller, *request, response);
      });
}

grpc::ServerUnaryReactor* InstanceService::ListInstances(grpc::CallbackServerContext* context,
                                                         const v1::ListInstancesRequest* request,
                                                         v1::ListInstancesResponse* response) {
  return ReadRpc(
      gate_, context, Action::kReadInstance, [&](const Call& call, const Caller& caller) {
        return instances_.List(call, caller, *request, response);
      });
}

grpc::ServerUnaryReactor* InstanceService::CreateInstance(grpc::CallbackServerContext* context,
                                                          const v1::CreateInstanceRequest* request,
                                                          v1::Instance* response) {
  return WriteRpc(gate_,
                  writers_,
                  context,
                  Action::kCreateInstance,
                  "instance.create",
                  "instances",
                  [this, request, response](const Call& call, const Caller& caller) {
                    return instances_.Create(call, caller, *request, response);
                  });
}

grpc::ServerUnaryReactor* InstanceService::UpdateInstance(grpc::CallbackServerContext* context,
                                                          const v1::UpdateInstanceRequest* request,
                                                          v1::Instance* response) {
  return WriteRpc(gate_,
                  writers_,
                  context,
                  Action::kUpdateInstance,
                  "instance.update",
                  "instances/" + request->instance().id(),
                  [this, request, response](const Call& call, const Caller& caller) {
                    return instances_.Update(call, caller, *request, response);
                  });
}

grpc::ServerUnaryReactor* InstanceService::DeleteInstance(grpc::CallbackServerContext* context,
                                                          const v1::DeleteInstanceRequest* request,
                                                          v1::Instance* response) {
  return WriteRpc(gate_,
                  writers_,
                  context,
                  Action::kDeleteInstance,
                  "instance.delete",
                  "instances/" + request->id(),
                  [this, request, response](const Call& call, const Caller& caller) {
                    return instances_.Delete(call, caller, *request, response);
                  });
}

grpc::ServerUnaryReactor* InstanceService::RestartInstance(
    grpc::CallbackServerContext* context,
    const v1::RestartInstanceRequest* request,
    v1::Instance* response) {
  return WriteRpc(gate_,
                  writers_,
                  context,
                  Action::kRestartInstance,
                  "instance.restart",
                  "instances/" + request->id(),
                  [this, request, response](const Call& call, const Caller& caller) {
                    return instances_.Restart(call, caller, *request, response);
                  });
}

grpc::ServerUnaryReactor* DatastoreService::GetDatastore(grpc::CallbackServerContext* context,
                                                         const v1::GetDatastoreRequest* request,
                                                         v1::Datastore* response) {
  return ReadRpc(gate_, context, Action::kReadCatalogue, [&](const Call& call, const Caller&) {
    return catalogue_.GetDatastore(call, *request, response);
  });
}

grpc::ServerUnaryReactor* DatastoreService::ListDatastores(grpc::CallbackServerContext* context,
                                                           const v1::ListDatastoresRequest*,
                                                           v1::ListDatastoresResponse* response) {
  return ReadRpc(
      gate_, context, Action::kReadCatalogue, [&](const Call& call, const Caller& caller) {
        return catalogue_.ListDatastores(call, caller, response);
      });
}

grpc::ServerUnaryReactor* DatastoreService::GetDatastoreVersion(
    grpc::CallbackServerContext* context,
    const v1::GetDatastoreVersionRequest* request,
    v1::DatastoreVersion* response) {
  return ReadRpc(gate_, context, Action::kReadCatalogue, [&](const Call& call, const Caller&) {
    return catalogue_.GetVersion(call, *request, response);
  });
}

grpc::ServerUnaryReactor* DatastoreService::ListDatastoreVersions(
    grpc::CallbackServerContext* context,
    const v1::ListDatastoreVersionsRequest* request,
    v1::ListDatastoreVersionsResponse* response) {
  return ReadRpc(
      gate_, context, Action::kReadCatalogue, [&](const Call& call, const Caller& caller) {
        return catalogue_.ListVersions(call, caller, *request, response);
      });
}

grpc::ServerUnaryReactor* FlavorService::GetFlavor(grpc::CallbackServerContext* context,
                                                   const v1::GetFlavorRequest* request,
                                                   v1::Flavor* response) {
  return ReadRpc(gate_, context, Action::kReadCatalogue, [&](const Call& call, const Caller&) {
    return catalogue_.GetFlavor(call, *request, response);
  });
}

grpc::ServerUnaryReactor* FlavorService::ListFlavors(grpc::CallbackServerContext* context,
                                                     const v1::ListFlavorsRequest*,
                                                     v1::ListFlavorsResponse* response) {
  return ReadRpc(gate_, context, Action::kReadCatalogue, [&](const Call& call, const Caller&) {
    return catalogue_.ListFlavors(call, response);
  });
}

grpc::ServerUnaryReactor* LimitsService::GetLimits(grpc::CallbackServerContext* context,
                                                   const v1::GetLimitsRequest*,
                                                   v1::Limits* response) {
  return ReadRpc(gate_, context, Action::kReadLimits, [&](const Call& call, const Caller& caller) {
    return catalogue_.GetLimits(call, caller, response);
  });
}

grpc::ServerUnaryReactor* OperationService::GetOperation(grpc::CallbackServerContext* context,
                                                         const v1::GetOperationRequest* request,
                                                         v1::Operation* response) {
  return ReadRpc(gate_,
                 context,
                 Action::kReadOperation,
                 [&](const Call& call, const Caller& caller) -> absl::Status {
                   TROVE_ASSIGN_OR_RETURN(
                       const Operation operation,
                       store_.GetOperation(call, ScopeOf(caller), OperationId(request->id())));
                   FillOperation(operation, response);
                   return absl::OkStatus();
                 });
}

grpc::ServerWriteReactor<v1::Operation>* OperationService::WatchOperation(
    grpc::CallbackServerContext* context, const v1::WatchOperationRequest* request) {
  return rpc::Streaming<v1::Operation>(
      context, [&](const Call& call, const rpc::Stream<v1::Operation>& stream) {
        const absl::StatusOr<Caller> caller = gate_.Admit(call, *context, Action::kReadOperation);
        if (!caller.ok()) {
          stream.Close(caller.status());
          return;
        }
        watcher_.Watch(call, ScopeOf(*caller), OperationId(request->id()), stream);
      });
}

grpc::ServerUnaryReactor* TokenService::CreateToken(grpc::CallbackServerContext* context,
                                                    const v1::CreateTokenRequest* request,
                                                    v1::CreateTokenResponse* response) {
  return WriteRpc(gate_,
                  writers_,
                  context,
                  Action::kCreateToken,
                  "token.create",
                  "projects/" + request->project_id(),
                  [this, request, response](const Call& call, const Caller& caller) {
                    return tokens_.Create(call, caller, *request, response);
                  });
}

}  // namespace trove::api
