#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "trove/v1/datastore.grpc.pb.h"
#include "trove/v1/flavor.grpc.pb.h"
#include "trove/v1/instance.grpc.pb.h"
#include "trove/v1/limits.grpc.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/base/mutex.h"
#include "libtrove/rpc/server.h"
#include "test/support/test_mesh.h"

namespace trove::gateway {

/// The api as the gateway sees it, behind a real mesh listener: checks token and project, keeps
/// instances in memory, one flavor ("2") and one datastore ("mariadb"). Thread-safe.
///
/// Tokens: "member" and "admin", of project "p". The instance "hang" is never answered for.
class FakeApi {
 public:
  FakeApi();
  ~FakeApi();

  TestMesh& mesh() { return mesh_; }
  rpc::Server& server() { return *server_; }

  /// Channels to it as the gateway has them.
  std::vector<std::shared_ptr<grpc::Channel>> Channels(int count);

  /// How many calls are waiting for the answer that does not come.
  std::size_t hanging() const;

  /// The ids that the x-request-id metadata had, in order.
  std::vector<std::string> request_ids() const;

 private:
  absl::Status Admit(const Call& call, grpc::CallbackServerContext* context);

  class Hanging;
  class Instances;
  class Flavors;
  class Datastores;
  class Limits;

  TestMesh mesh_;
  mutable Mutex mutex_;
  std::map<std::string, v1::Instance> instances_ TROVE_GUARDED_BY(mutex_);
  std::vector<std::string> request_ids_ TROVE_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Hanging>> hanging_ TROVE_GUARDED_BY(mutex_);
  std::unique_ptr<v1::InstanceService::CallbackService> instance_service_;
  std::unique_ptr<v1::FlavorService::CallbackService> flavor_service_;
  std::unique_ptr<v1::DatastoreService::CallbackService> datastore_service_;
  std::unique_ptr<v1::LimitsService::CallbackService> limits_service_;
  std::unique_ptr<rpc::Server> server_;  // last: it calls the services
};

}  // namespace trove::gateway
