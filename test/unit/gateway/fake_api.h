#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "trove/v1/audit.grpc.pb.h"
#include "trove/v1/configuration.grpc.pb.h"
#include "trove/v1/datastore.grpc.pb.h"
#include "trove/v1/event.grpc.pb.h"
#include "trove/v1/flavor.grpc.pb.h"
#include "trove/v1/instance.grpc.pb.h"
#include "trove/v1/limits.grpc.pb.h"
#include "trove/v1/operation.grpc.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/base/mutex.h"
#include "libtrove/rpc/server.h"
#include "libtrove/rpc/stream.h"
#include "test/support/test_mesh.h"

namespace trove::gateway {

/// The api as the gateway sees it, behind a real mesh listener: checks token and project, keeps
/// instances in memory, one flavor ("2"), one datastore ("mariadb"), two configuration groups
/// ("c1", "c2"), operations and events that the test makes. Remembers what it was asked.
/// Thread-safe.
///
/// Tokens: "member" and "admin", of project "p". The instance "hang" is never answered for. Events
/// up to position 4 have been forgotten.
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

  /// What changes were asked for, in order, as `GrowVolume id: "i" size_gib: 5`.
  std::vector<std::string> changes() const;
  std::string last_change() const;

  /// The address that the last call came from, by its metadata.
  std::string last_client() const;

  /// Makes or changes an operation, and sends it to whoever watches it.
  void SetOperation(const v1::Operation& operation);

  /// Makes an event at the next position, from 5 on, and sends it to whoever watches.
  void Publish(const std::string& subject, const std::string& data);

  /// How many watches are open.
  std::size_t watches() const;

  /// Ends every watch.
  void EndWatches(const absl::Status& status);

 private:
  template <typename Item>
  struct Watch {
    Call call;
    rpc::Stream<Item> stream;
    std::string subject;  // of what
  };

  // Remembers a request that would change something.
  template <typename Request>
  void Remember(const char* rpc, const Request& request) {
    const MutexLock lock(mutex_);
    changes_.push_back(std::string(rpc) + " " + request.ShortDebugString());
  }

  static std::unique_ptr<v1::ConfigurationService::CallbackService> MakeConfigurations(
      FakeApi& api);
  static std::unique_ptr<v1::OperationService::CallbackService> MakeOperations(FakeApi& api);
  static std::unique_ptr<v1::EventService::CallbackService> MakeEvents(FakeApi& api);
  static std::unique_ptr<v1::AuditService::CallbackService> MakeAudit(FakeApi& api);

  absl::Status Admit(const Call& call, grpc::CallbackServerContext* context);

  class Hanging;
  class Instances;
  class Flavors;
  class Datastores;
  class Limits;
  class Configurations;
  class Operations;
  class Events;
  class Audit;

  TestMesh mesh_;
  mutable Mutex mutex_;
  std::map<std::string, v1::Instance> instances_ TROVE_GUARDED_BY(mutex_);
  std::vector<std::string> request_ids_ TROVE_GUARDED_BY(mutex_);
  std::map<std::string, v1::Instance> answers_ TROVE_GUARDED_BY(mutex_);  // by request_id
  std::vector<std::string> changes_ TROVE_GUARDED_BY(mutex_);
  std::string last_client_ TROVE_GUARDED_BY(mutex_);
  std::map<std::string, v1::Configuration> configurations_ TROVE_GUARDED_BY(mutex_);
  std::map<std::string, v1::Operation> operations_ TROVE_GUARDED_BY(mutex_);
  std::vector<v1::Event> events_ TROVE_GUARDED_BY(mutex_);
  std::vector<Watch<v1::Operation>> operation_watches_ TROVE_GUARDED_BY(mutex_);
  std::vector<Watch<v1::Event>> event_watches_ TROVE_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Hanging>> hanging_ TROVE_GUARDED_BY(mutex_);
  std::unique_ptr<v1::InstanceService::CallbackService> instance_service_;
  std::unique_ptr<v1::FlavorService::CallbackService> flavor_service_;
  std::unique_ptr<v1::DatastoreService::CallbackService> datastore_service_;
  std::unique_ptr<v1::LimitsService::CallbackService> limits_service_;
  std::unique_ptr<v1::ConfigurationService::CallbackService> configuration_service_;
  std::unique_ptr<v1::OperationService::CallbackService> operation_service_;
  std::unique_ptr<v1::EventService::CallbackService> event_service_;
  std::unique_ptr<v1::AuditService::CallbackService> audit_service_;
  std::unique_ptr<rpc::Server> server_;  // last: it calls the services
};

}  // namespace trove::gateway
