#pragma once

#include "trove/v1/audit.grpc.pb.h"
#include "trove/v1/configuration.grpc.pb.h"
#include "trove/v1/datastore.grpc.pb.h"
#include "trove/v1/event.grpc.pb.h"
#include "trove/v1/flavor.grpc.pb.h"
#include "trove/v1/instance.grpc.pb.h"
#include "trove/v1/limits.grpc.pb.h"
#include "trove/v1/operation.grpc.pb.h"
#include "trove/v1/token.grpc.pb.h"

#include "services/api/audit_records.h"
#include "services/api/catalogue.h"
#include "services/api/configurations.h"
#include "services/api/entrance.h"
#include "services/api/events.h"
#include "services/api/instances.h"
#include "services/api/operations.h"
#include "services/api/tokens.h"

// The public gRPC services: which action of the policy an rpc is, and which function does it. Of
// each rpc `c` is the context, `q` what is asked and `a` the answer.

namespace trove::api {

using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

class InstanceService final : public v1::InstanceService::CallbackService {
 public:
  InstanceService(Entrance& entrance, Instances& instances)
      : entrance_(entrance), instances_(instances) {}

  Reactor* GetInstance(Context* c, const v1::GetInstanceRequest* q, v1::Instance* a) override {
    return entrance_.Read(c, Action::kReadInstance, q, a, instances_, &Instances::Get);
  }
  Reactor* ListInstances(Context* c,
                         const v1::ListInstancesRequest* q,
                         v1::ListInstancesResponse* a) override {
    return entrance_.Read(c, Action::kReadInstance, q, a, instances_, &Instances::List);
  }
  Reactor* CreateInstance(Context* c,
                          const v1::CreateInstanceRequest* q,
                          v1::Instance* a) override {
    return Write(c, Action::kCreateInstance, q, a, &Instances::Create);
  }
  Reactor* UpdateInstance(Context* c,
                          const v1::UpdateInstanceRequest* q,
                          v1::Instance* a) override {
    return Write(c, Action::kUpdateInstance, q, a, &Instances::Update);
  }
  Reactor* DeleteInstance(Context* c,
                          const v1::DeleteInstanceRequest* q,
                          v1::Instance* a) override {
    return Write(c, Action::kDeleteInstance, q, a, &Instances::Act);
  }
  Reactor* RestartInstance(Context* c,
                           const v1::RestartInstanceRequest* q,
                           v1::Instance* a) override {
    return Write(c, Action::kRestartInstance, q, a, &Instances::Act);
  }
  Reactor* StopInstance(Context* c, const v1::StopInstanceRequest* q, v1::Instance* a) override {
    return Write(c, Action::kStopInstance, q, a, &Instances::Act);
  }
  Reactor* StartInstance(Context* c, const v1::StartInstanceRequest* q, v1::Instance* a) override {
    return Write(c, Action::kStartInstance, q, a, &Instances::Act);
  }
  Reactor* ResizeInstance(Context* c,
                          const v1::ResizeInstanceRequest* q,
                          v1::Instance* a) override {
    return Write(c, Action::kResizeInstance, q, a, &Instances::Act);
  }
  Reactor* GrowVolume(Context* c, const v1::GrowVolumeRequest* q, v1::Instance* a) override {
    return Write(c, Action::kGrowVolume, q, a, &Instances::Act);
  }
  Reactor* AttachConfiguration(Context* c,
                               const v1::AttachConfigurationRequest* q,
                               v1::Instance* a) override {
    return Write(c, Action::kAttachConfiguration, q, a, &Instances::Act);
  }
  Reactor* DetachConfiguration(Context* c,
                               const v1::DetachConfigurationRequest* q,
                               v1::Instance* a) override {
    return Write(c, Action::kDetachConfiguration, q, a, &Instances::Act);
  }
  Reactor* UpgradeInstance(Context* c,
                           const v1::UpgradeInstanceRequest* q,
                           v1::Instance* a) override {
    return Write(c, Action::kUpgradeInstance, q, a, &Instances::Act);
  }
  Reactor* RebuildInstance(Context* c,
                           const v1::RebuildInstanceRequest* q,
                           v1::Instance* a) override {
    return Write(c, Action::kRebuildInstance, q, a, &Instances::Act);
  }

 private:
  template <typename Request>
  Reactor* Write(Context* c,
                 Action action,
                 const Request* q,
                 v1::Instance* a,
                 Entrance::Function<Instances, Request, v1::Instance> function) {
    return entrance_.Write(c, action, "instances", q, a, instances_, function);
  }

  Entrance& entrance_;
  Instances& instances_;
};

class DatastoreService final : public v1::DatastoreService::CallbackService {
 public:
  DatastoreService(Entrance& entrance, CatalogueReader& catalogue)
      : entrance_(entrance), catalogue_(catalogue) {}

  Reactor* GetDatastore(Context* c, const v1::GetDatastoreRequest* q, v1::Datastore* a) override {
    return entrance_.Read(
        c, Action::kReadCatalogue, q, a, catalogue_, &CatalogueReader::GetDatastore);
  }
  Reactor* ListDatastores(Context* c,
                          const v1::ListDatastoresRequest* q,
                          v1::ListDatastoresResponse* a) override {
    return entrance_.Read(
        c, Action::kReadCatalogue, q, a, catalogue_, &CatalogueReader::ListDatastores);
  }
  Reactor* GetDatastoreVersion(Context* c,
                               const v1::GetDatastoreVersionRequest* q,
                               v1::DatastoreVersion* a) override {
    return entrance_.Read(
        c, Action::kReadCatalogue, q, a, catalogue_, &CatalogueReader::GetVersion);
  }
  Reactor* ListDatastoreVersions(Context* c,
                                 const v1::ListDatastoreVersionsRequest* q,
                                 v1::ListDatastoreVersionsResponse* a) override {
    return entrance_.Read(
        c, Action::kReadCatalogue, q, a, catalogue_, &CatalogueReader::ListVersions);
  }

 private:
  Entrance& entrance_;
  CatalogueReader& catalogue_;
};

class FlavorService final : public v1::FlavorService::CallbackService {
 public:
  FlavorService(Entrance& entrance, CatalogueReader& catalogue)
      : entrance_(entrance), catalogue_(catalogue) {}

  Reactor* GetFlavor(Context* c, const v1::GetFlavorRequest* q, v1::Flavor* a) override {
    return entrance_.Read(c, Action::kReadCatalogue, q, a, catalogue_, &CatalogueReader::GetFlavor);
  }
  Reactor* ListFlavors(Context* c,
                       const v1::ListFlavorsRequest* q,
                       v1::ListFlavorsResponse* a) override {
    return entrance_.Read(
        c, Action::kReadCatalogue, q, a, catalogue_, &CatalogueReader::ListFlavors);
  }

 private:
  Entrance& entrance_;
  CatalogueReader& catalogue_;
};

class LimitsService final : public v1::LimitsService::CallbackService {
 public:
  LimitsService(Entrance& entrance, CatalogueReader& catalogue)
      : entrance_(entrance), catalogue_(catalogue) {}

  Reactor* GetLimits(Context* c, const v1::GetLimitsRequest* q, v1::Limits* a) override {
    return entrance_.Read(c, Action::kReadLimits, q, a, catalogue_, &CatalogueReader::GetLimits);
  }

 private:
  Entrance& entrance_;
  CatalogueReader& catalogue_;
};

class OperationService final : public v1::OperationService::CallbackService {
 public:
  OperationService(Entrance& entrance, Operations& operations)
      : entrance_(entrance), operations_(operations) {}

  Reactor* GetOperation(Context* c, const v1::GetOperationRequest* q, v1::Operation* a) override {
    return entrance_.Read(c, Action::kReadOperation, q, a, operations_, &Operations::Get);
  }
  Reactor* ListOperations(Context* c,
                          const v1::ListOperationsRequest* q,
                          v1::ListOperationsResponse* a) override {
    return entrance_.Read(c, Action::kReadOperation, q, a, operations_, &Operations::List);
  }
  grpc::ServerWriteReactor<v1::Operation>* WatchOperation(
      Context* c, const v1::WatchOperationRequest* q) override {
    return entrance_.Watch<v1::Operation>(
        c, Action::kReadOperation, [&](const Call& call, const Caller& caller, const auto& stream) {
          operations_.Watch(call, caller, *q, stream);
        });
  }
  Reactor* CancelOperation(Context* c,
                           const v1::CancelOperationRequest* q,
                           v1::Operation* a) override {
    return entrance_.Write(
        c, Action::kCancelOperation, "operations", q, a, operations_, &Operations::Cancel);
  }
  Reactor* RetryOperation(Context* c,
                          const v1::RetryOperationRequest* q,
                          v1::Operation* a) override {
    return entrance_.Write(
        c, Action::kRetryOperation, "operations", q, a, operations_, &Operations::Retry);
  }

 private:
  Entrance& entrance_;
  Operations& operations_;
};

class ConfigurationService final : public v1::ConfigurationService::CallbackService {
 public:
  ConfigurationService(Entrance& entrance, Configurations& configurations)
      : entrance_(entrance), configurations_(configurations) {}

  Reactor* CreateConfiguration(Context* c,
                               const v1::CreateConfigurationRequest* q,
                               v1::Configuration* a) override {
    return entrance_.Write(c,
                           Action::kCreateConfiguration,
                           "configurations",
                           q,
                           a,
                           configurations_,
                           &Configurations::Create);
  }
  Reactor* GetConfiguration(Context* c,
                            const v1::GetConfigurationRequest* q,
                            v1::Configuration* a) override {
    return entrance_.Read(
        c, Action::kReadConfiguration, q, a, configurations_, &Configurations::Get);
  }
  Reactor* ListConfigurations(Context* c,
                              const v1::ListConfigurationsRequest* q,
                              v1::ListConfigurationsResponse* a) override {
    return entrance_.Read(
        c, Action::kReadConfiguration, q, a, configurations_, &Configurations::List);
  }
  Reactor* DeleteConfiguration(Context* c,
                               const v1::DeleteConfigurationRequest* q,
                               v1::DeleteConfigurationResponse* a) override {
    return entrance_.Write(c,
                           Action::kDeleteConfiguration,
                           "configurations",
                           q,
                           a,
                           configurations_,
                           &Configurations::Delete);
  }

 private:
  Entrance& entrance_;
  Configurations& configurations_;
};

class EventService final : public v1::EventService::CallbackService {
 public:
  EventService(Entrance& entrance, Events& events) : entrance_(entrance), events_(events) {}

  Reactor* ListEvents(Context* c,
                      const v1::ListEventsRequest* q,
                      v1::ListEventsResponse* a) override {
    return entrance_.Read(c, Action::kReadEvents, q, a, events_, &Events::List);
  }
  grpc::ServerWriteReactor<v1::Event>* WatchEvents(Context* c,
                                                   const v1::WatchEventsRequest* q) override {
    return entrance_.Watch<v1::Event>(
        c, Action::kReadEvents, [&](const Call& call, const Caller& caller, const auto& stream) {
          events_.Watch(call, caller, *q, stream);
        });
  }

 private:
  Entrance& entrance_;
  Events& events_;
};

class AuditService final : public v1::AuditService::CallbackService {
 public:
  AuditService(Entrance& entrance, AuditRecords& records)
      : entrance_(entrance), records_(records) {}

  Reactor* ListAuditRecords(Context* c,
                            const v1::ListAuditRecordsRequest* q,
                            v1::ListAuditRecordsResponse* a) override {
    return entrance_.Read(c, Action::kReadAudit, q, a, records_, &AuditRecords::List);
  }

 private:
  Entrance& entrance_;
  AuditRecords& records_;
};

class TokenService final : public v1::TokenService::CallbackService {
 public:
  TokenService(Entrance& entrance, Tokens& tokens) : entrance_(entrance), tokens_(tokens) {}

  Reactor* CreateToken(Context* c,
                       const v1::CreateTokenRequest* q,
                       v1::CreateTokenResponse* a) override {
    return entrance_.Write(c, Action::kCreateToken, "projects", q, a, tokens_, &Tokens::Create);
  }

 private:
  Entrance& entrance_;
  Tokens& tokens_;
};

}  // namespace trove::api
