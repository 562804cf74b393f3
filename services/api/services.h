#pragma once

#include "trove/v1/datastore.grpc.pb.h"
#include "trove/v1/flavor.grpc.pb.h"
#include "trove/v1/instance.grpc.pb.h"
#include "trove/v1/limits.grpc.pb.h"
#include "trove/v1/operation.grpc.pb.h"
#include "trove/v1/token.grpc.pb.h"

#include "libtrove/base/executor.h"
#include "services/api/catalogue.h"
#include "services/api/gate.h"
#include "services/api/instances.h"
#include "services/api/operation_watcher.h"
#include "services/api/tokens.h"

// The public gRPC services. A handler only translates: it passes the gate and calls one function of
// the classes that know nothing of gRPC. Reads run inline, writes on the executor.

namespace trove::api {

class InstanceService final : public v1::InstanceService::CallbackService {
 public:
  InstanceService(Gate& gate, Executor& writers, Instances& instances)
      : gate_(gate), writers_(writers), instances_(instances) {}

  grpc::ServerUnaryReactor* GetInstance(grpc::CallbackServerContext* context,
                                        const v1::GetInstanceRequest* request,
                                        v1::Instance* response) override;
  grpc::ServerUnaryReactor* ListInstances(grpc::CallbackServerContext* context,
                                          const v1::ListInstancesRequest* request,
                                          v1::ListInstancesResponse* response) override;
  grpc::ServerUnaryReactor* CreateInstance(grpc::CallbackServerContext* context,
                                           const v1::CreateInstanceRequest* request,
                                           v1::Instance* response) override;
  grpc::ServerUnaryReactor* UpdateInstance(grpc::CallbackServerContext* context,
                                           const v1::UpdateInstanceRequest* request,
                                           v1::Instance* response) override;
  grpc::ServerUnaryReactor* DeleteInstance(grpc::CallbackServerContext* context,
                                           const v1::DeleteInstanceRequest* request,
                                           v1::Instance* response) override;
  grpc::ServerUnaryReactor* RestartInstance(grpc::CallbackServerContext* context,
                                            const v1::RestartInstanceRequest* request,
                                            v1::Instance* response) override;

 private:
  Gate& gate_;
  Executor& writers_;
  Instances& instances_;
};

class DatastoreService final : public v1::DatastoreService::CallbackService {
 public:
  DatastoreService(Gate& gate, CatalogueReader& catalogue) : gate_(gate), catalogue_(catalogue) {}

  grpc::ServerUnaryReactor* GetDatastore(grpc::CallbackServerContext* context,
                                         const v1::GetDatastoreRequest* request,
                                         v1::Datastore* response) override;
  grpc::ServerUnaryReactor* ListDatastores(grpc::CallbackServerContext* context,
                                           const v1::ListDatastoresRequest* request,
                                           v1::ListDatastoresResponse* response) override;
  grpc::ServerUnaryReactor* GetDatastoreVersion(grpc::CallbackServerContext* context,
                                                const v1::GetDatastoreVersionRequest* request,
                                                v1::DatastoreVersion* response) override;
  grpc::ServerUnaryReactor* ListDatastoreVersions(
      grpc::CallbackServerContext* context,
      const v1::ListDatastoreVersionsRequest* request,
      v1::ListDatastoreVersionsResponse* response) override;

 private:
  Gate& gate_;
  CatalogueReader& catalogue_;
};

class FlavorService final : public v1::FlavorService::CallbackService {
 public:
  FlavorService(Gate& gate, CatalogueReader& catalogue) : gate_(gate), catalogue_(catalogue) {}

  grpc::ServerUnaryReactor* GetFlavor(grpc::CallbackServerContext* context,
                                      const v1::GetFlavorRequest* request,
                                      v1::Flavor* response) override;
  grpc::ServerUnaryReactor* ListFlavors(grpc::CallbackServerContext* context,
                                        const v1::ListFlavorsRequest* request,
                                        v1::ListFlavorsResponse* response) override;

 private:
  Gate& gate_;
  CatalogueReader& catalogue_;
};

class LimitsService final : public v1::LimitsService::CallbackService {
 public:
  LimitsService(Gate& gate, CatalogueReader& catalogue) : gate_(gate), catalogue_(catalogue) {}

  grpc::ServerUnaryReactor* GetLimits(grpc::CallbackServerContext* context,
                                      const v1::GetLimitsRequest* request,
                                      v1::Limits* response) override;

 private:
  Gate& gate_;
  CatalogueReader& catalogue_;
};

class OperationService final : public v1::OperationService::CallbackService {
 public:
  OperationService(Gate& gate, Store& store, OperationWatcher& watcher)
      : gate_(gate), store_(store), watcher_(watcher) {}

  grpc::ServerUnaryReactor* GetOperation(grpc::CallbackServerContext* context,
                                         const v1::GetOperationRequest* request,
                                         v1::Operation* response) override;
  grpc::ServerWriteReactor<v1::Operation>* WatchOperation(
      grpc::CallbackServerContext* context, const v1::WatchOperationRequest* request) override;

 private:
  Gate& gate_;
  Store& store_;
  OperationWatcher& watcher_;
};

class TokenService final : public v1::TokenService::CallbackService {
 public:
  TokenService(Gate& gate, Executor& writers, Tokens& tokens)
      : gate_(gate), writers_(writers), tokens_(tokens) {}

  grpc::ServerUnaryReactor* CreateToken(grpc::CallbackServerContext* context,
                                        const v1::CreateTokenRequest* request,
                                        v1::CreateTokenResponse* response) override;

 private:
  Gate& gate_;
  Executor& writers_;
  Tokens& tokens_;
};

}  // namespace trove::api
