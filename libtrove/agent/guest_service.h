#pragma once

#include "trove/mesh/v1/guest_agent.grpc.pb.h"

#include "libtrove/agent/health_monitor.h"
#include "libtrove/agent/jobs.h"
#include "libtrove/agent/server_process.h"

namespace trove::agent {

/// The agent's door. All answers come from memory, but for the server's pid.
class GuestService final : public mesh::v1::GuestAgentService::CallbackService {
 public:
  /// All must outlive this object.
  GuestService(const HealthMonitor& monitor, const Jobs& jobs, const ServerProcess& server)
      : monitor_(monitor), jobs_(jobs), server_(server) {}

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const mesh::v1::GetStatusRequest* request,
                                      mesh::v1::GetStatusResponse* response) override;

 private:
  const HealthMonitor& monitor_;
  const Jobs& jobs_;
  const ServerProcess& server_;
};

}  // namespace trove::agent
