#include "tools/trovectl/launch/purge.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/time/clock.h>

#include "trove/v1/instance.grpc.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/base/files.h"
#include "libtrove/base/secret.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/rpc/channel.h"
#include "libtrove/rpc/outgoing_call.h"
#include "libtrove/store/sqlite_store.h"
#include "tools/trovectl/launch/settings.h"

namespace trove::trovectl {
namespace {

constexpr absl::Duration kCallLimit = absl::Seconds(15);
constexpr absl::Duration kStallLimit = absl::Seconds(30);  // nothing goes, and all say why
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(200);

class Api {
 public:
  static absl::StatusOr<Api> Connect(const Layout& layout) {
    TROVE_ASSIGN_OR_RETURN(const ClientEnvironment client, ReadClientEnvironment(layout));
    TROVE_ASSIGN_OR_RETURN(const std::string authority, ReadFile(client.ca));
    return Api(rpc::PublicChannel(client.grpc_endpoint, authority), Secret(client.token));
  }

  // Returns the operation. One that is gone is deleted, by none.
  absl::StatusOr<OperationId> Delete(const InstanceId& id) const {
    v1::DeleteInstanceRequest request;
    request.set_id(id.value());
    const absl::StatusOr<v1::Instance> instance =
        rpc::CallUnary(*stub_,
                       &v1::InstanceService::Stub::DeleteInstance,
                       CallFor(kCallLimit),
                       request,
                       {.bearer_token = token_, .wait_for_server = true});
    if (absl::IsNotFound(instance.status())) return OperationId();
    if (!instance.ok()) return Annotate(instance.status(), "delete instance " + id.value());
    return OperationId(instance->operation_id());
  }

 private:
  Api(const std::shared_ptr<grpc::Channel>& channel, Secret token)
      : stub_(v1::InstanceService::NewStub(channel)), token_(std::move(token)) {}

  std::unique_ptr<v1::InstanceService::Stub> stub_;
  Secret token_;
};

// What keeps a delete from going on; empty: nothing is known of.
std::string ObstacleOf(Store& store, const OperationId& id) {
  if (id.empty()) return "";
  const absl::StatusOr<Operation> operation =
      store.GetOperation(CallFor(kCallLimit), std::nullopt, id);
  if (!operation.ok()) return "";
  const auto at = static_cast<std::size_t>(operation->current_step);
  return at < operation->steps.size() ? operation->steps[at].last_error : "";
}

// A line for each instance that is left and what is in its way; empty when of some that is not
// known: it may be going on.
std::string Obstacles(Store& store, const std::map<InstanceId, OperationId>& left) {
  std::string text;
  for (const auto& [instance, operation] : left) {
    const std::string obstacle = ObstacleOf(store, operation);
    if (obstacle.empty()) return "";
    text += "\n  " + instance.value() + ": " + obstacle;
  }
  return text;
}

}  // namespace

absl::Status PurgeInstances(const Layout& layout,
                            Terminal& terminal,
                            absl::Duration limit,
                            const std::function<bool(absl::Duration)>& tend) {
  TROVE_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                         OpenSqliteStore({.path = layout.StoreFile()}));
  TROVE_ASSIGN_OR_RETURN(const Api api, Api::Connect(layout));
  const absl::Time deadline = absl::Now() + limit;
  std::map<InstanceId, OperationId> asked;
  std::map<InstanceId, OperationId> left;
  absl::Time progress_at = absl::Now();
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const std::vector<Guest> guests,
                           store->ListGuests(CallFor(kCallLimit), ""));
    // An instance that is being made may get its place a moment from now.
    TROVE_ASSIGN_OR_RETURN(const EngineCounts counts,
                           store->CountEngine(CallFor(kCallLimit), WorkerId("trovectl")));
    if (guests.empty() && counts.open_operations == 0) break;
    std::map<InstanceId, OperationId> still;
    for (const Guest& guest : guests) {
      if (!asked.contains(guest.instance_id)) {
        TROVE_ASSIGN_OR_RETURN(asked[guest.instance_id], api.Delete(guest.instance_id));
        terminal.Line("deleting instance " + guest.instance_id.value());
      }
      still[guest.instance_id] = asked[guest.instance_id];
    }
    if (still != left) progress_at = absl::Now();
    left = std::move(still);
    if (absl::Now() - progress_at >= kStallLimit) {
      if (const std::string obstacles = Obstacles(*store, left); !obstacles.empty()) {
        return absl::FailedPreconditionError(
            "these instances cannot be deleted; their deletes are tried again whenever the mesh is "
            "up:" +
            obstacles + "\n`trovectl down` without --instances stops the mesh");
      }
    }
    if (absl::Now() >= deadline) {
      std::string ids;
      for (const auto& [instance, operation] : left)
        ids += " " + instance.value();
      return absl::DeadlineExceededError("these instances are not gone yet:" + ids);
    }
    if (!tend(kBetweenLooks)) return absl::CancelledError("stopped while deleting instances");
  }
  terminal.Line("deleted  " + std::to_string(asked.size()) +
                (asked.size() == 1 ? " instance" : " instances"));
  return absl::OkStatus();
}

}  // namespace trove::trovectl
