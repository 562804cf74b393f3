#include "tools/trovectl/launch/purge.h"

#include <set>
#include <string>
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
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(200);

class Api {
 public:
  static absl::StatusOr<Api> Connect(const Layout& layout) {
    TROVE_ASSIGN_OR_RETURN(const ClientEnvironment client, ReadClientEnvironment(layout));
    TROVE_ASSIGN_OR_RETURN(const std::string authority, ReadFile(client.ca));
    return Api(rpc::PublicChannel(client.grpc_endpoint, authority), Secret(client.token));
  }

  // One that is gone is deleted.
  absl::Status Delete(const InstanceId& id) const {
    v1::DeleteInstanceRequest request;
    request.set_id(id.value());
    const absl::Status status = rpc::CallUnary(*stub_,
                                               &v1::InstanceService::Stub::DeleteInstance,
                                               CallFor(kCallLimit),
                                               request,
                                               {.bearer_token = token_, .wait_for_server = true})
                                    .status();
    return absl::IsNotFound(status) ? absl::OkStatus() : status;
  }

 private:
  Api(const std::shared_ptr<grpc::Channel>& channel, Secret token)
      : stub_(v1::InstanceService::NewStub(channel)), token_(std::move(token)) {}

  std::unique_ptr<v1::InstanceService::Stub> stub_;
  Secret token_;
};

}  // namespace

absl::Status PurgeInstances(const Layout& layout,
                            Terminal& terminal,
                            absl::Duration limit,
                            const std::function<bool(absl::Duration)>& tend) {
  TROVE_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                         OpenSqliteStore({.path = layout.StoreFile()}));
  TROVE_ASSIGN_OR_RETURN(const Api api, Api::Connect(layout));
  const absl::Time deadline = absl::Now() + limit;
  std::set<InstanceId> asked;
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const std::vector<Guest> guests,
                           store->ListGuests(CallFor(kCallLimit), ""));
    // An instance that is being made may get its place a moment from now.
    TROVE_ASSIGN_OR_RETURN(const EngineCounts counts,
                           store->CountEngine(CallFor(kCallLimit), WorkerId("trovectl")));
    if (guests.empty() && counts.open_operations == 0) break;
    std::string left;
    for (const Guest& guest : guests) {
      left += " " + guest.instance_id.value();
      if (asked.contains(guest.instance_id)) continue;
      TROVE_RETURN_IF_ERROR(
          Annotate(api.Delete(guest.instance_id), "delete instance " + guest.instance_id.value()));
      asked.insert(guest.instance_id);
      terminal.Line("deleting instance " + guest.instance_id.value());
    }
    if (absl::Now() >= deadline)
      return absl::DeadlineExceededError("these instances are not gone yet:" + left);
    if (!tend(kBetweenLooks)) return absl::CancelledError("stopped while deleting instances");
  }
  terminal.Line("deleted  " + std::to_string(asked.size()) +
                (asked.size() == 1 ? " instance" : " instances"));
  return absl::OkStatus();
}

}  // namespace trove::trovectl
