#include "libtrove/agent/guest_service.h"

#include <unistd.h>

#include "libtrove/rpc/handlers.h"

namespace trove::agent {

grpc::ServerUnaryReactor* GuestService::GetStatus(grpc::CallbackServerContext* context,
                                                  const mesh::v1::GetStatusRequest*,
                                                  mesh::v1::GetStatusResponse* response) {
  return rpc::Inline(context, [&](const Call& call) {
    *response->mutable_heartbeat() = monitor_.last();
    if (const auto running = jobs_.running()) {
      response->set_running_job_id(running->first);
      response->set_progress(running->second);
    }
    // The keeper answers from memory, over a local socket.
    const auto server = server_.Status(call.Within(absl::Seconds(1)));
    if (server.ok()) response->set_server_pid(server->pid);
    response->set_agent_pid(::getpid());
    return absl::OkStatus();
  });
}

}  // namespace trove::agent
