#include "test/unit/gateway/fake_api.h"

#include <functional>
#include <stop_token>
#include <utility>

#include "libtrove/base/check.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "libtrove/rpc/channel.h"
#include "libtrove/rpc/handlers.h"
#include "services/gateway/api_client.h"

namespace trove::gateway {
namespace {

constexpr char kProject[] = "p";

v1::Flavor TheFlavor() {
  v1::Flavor flavor;
  flavor.set_id("2");
  flavor.set_name("db.small");
  flavor.set_ram_mib(2048);
  flavor.set_vcpus(1);
  return flavor;
}

v1::DatastoreVersion TheVersion() {
  v1::DatastoreVersion version;
  version.set_id("93d1f0a2-0d0e-4c4e-9a7a-51f9f0a7e001");
  version.set_name("10.11");
  version.set_datastore_id("67db");
  version.set_datastore_name("mariadb");
  version.set_version_number("10.11.6");
  version.set_active(true);
  return version;
}

v1::Datastore TheDatastore() {
  v1::Datastore datastore;
  datastore.set_id("67db");
  datastore.set_name("mariadb");
  datastore.set_default_version_id(TheVersion().id());
  *datastore.add_versions() = TheVersion();
  return datastore;
}

void FillPlan(const std::string& kind, v1::OperationPlan* plan) {
  plan->set_kind(kind);
  v1::OperationPlan::Step* step = plan->add_steps();
  step->set_name("restart");
  step->set_title("restarts the database server");
  step->set_downtime(true);
  step->mutable_expected()->set_seconds(1);
  step->mutable_expected()->set_nanos(500'000'000);
  plan->mutable_expected_downtime()->set_seconds(2);
  plan->set_measured(7);
  v1::OperationPlan::QuotaEffect* quota = plan->add_quota();
  quota->set_resource("ram");
  quota->set_change(-512);
  quota->set_limit(-1);
  plan->add_notes("cancels operation x");
}

}  // namespace

// A call that ends only when its client gives up.
class FakeApi::Hanging {
 public:
  Hanging(const Call& call, const rpc::Reply<v1::Instance>& reply)
      : on_stop_(call.stop, [reply] { reply.Finish(absl::CancelledError("nobody waits")); }) {}

 private:
  std::stop_callback<std::function<void()>> on_stop_;
};

class FakeApi::Instances final : public v1::InstanceService::CallbackService {
 public:
  explicit Instances(FakeApi& api) : api_(api) {}

  grpc::ServerUnaryReactor* GetInstance(grpc::CallbackServerContext* context,
                                        const v1::GetInstanceRequest* request,
                                        v1::Instance* response) override {
    if (request->id() == "hang") {
      return rpc::Async(
          context, response, [&](const Call& call, const rpc::Reply<v1::Instance>& reply) {
            const MutexLock lock(api_.mutex_);
            api_.hanging_.push_back(std::make_unique<Hanging>(call, reply));
          });
    }
    return On(context, request->id(), response, Accept);
  }

  grpc::ServerUnaryReactor* ListInstances(grpc::CallbackServerContext* context,
                                          const v1::ListInstancesRequest* request,
                                          v1::ListInstancesResponse* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      const MutexLock lock(api_.mutex_);
      for (auto it = api_.instances_.upper_bound(request->page_token());
           it != api_.instances_.end();
           ++it) {
        if (response->instances_size() == request->page_size()) {
          response->set_next_page_token(response->instances().rbegin()->id());
          break;
        }
        *response->add_instances() = it->second;
      }
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* CreateInstance(grpc::CallbackServerContext* context,
                                           const v1::CreateInstanceRequest* request,
                                           v1::Instance* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      if (request->flavor_id() != "2") return MakeError(Reason::kFlavorUnknown, "no such flavor");
      if (!request->datastore().empty() && request->datastore() != "mariadb")
        return MakeError(Reason::kDatastoreNotFound, "no such datastore");
      if (request->volume_size_gib() > 10)
        return MakeError(Reason::kQuotaExceeded, "over the quota for volumes");
      api_.Remember("CreateInstance", *request);
      if (request->validate_only()) {
        FillPlan("instance.create", response->mutable_plan());
        return absl::OkStatus();
      }
      const MutexLock lock(api_.mutex_);
      const auto answered = api_.answers_.find(request->request_id());
      if (answered != api_.answers_.end()) {
        *response = answered->second;
        return absl::OkStatus();
      }
      response->set_id(NewUuid());
      response->set_project_id(kProject);
      response->set_name(request->name());
      response->set_status(v1::Instance::STATUS_BUILD);
      response->set_flavor_id("2");
      response->set_datastore_name("mariadb");
      response->set_version_name("10.11");
      response->set_version_number("10.11.6");
      response->mutable_volume()->set_id("v");
      response->mutable_volume()->set_size_gib(request->volume_size_gib());
      response->mutable_created_at()->set_seconds(
          1767603600 + static_cast<std::int64_t>(api_.instances_.size()));
      response->mutable_updated_at()->set_seconds(1767603600);
      response->set_operation_id("op-create");
      response->mutable_reason()->set_step("prepare");
      response->mutable_reason()->set_waiting_for("the guest");
      if (!request->configuration_id().empty()) {
        response->set_configuration_id(request->configuration_id());
        response->set_configuration_name("tuned");
      }
      api_.instances_[response->id()] = *response;
      if (!request->request_id().empty()) api_.answers_[request->request_id()] = *response;
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* UpdateInstance(grpc::CallbackServerContext* context,
                                           const v1::UpdateInstanceRequest* request,
                                           v1::Instance* response) override {
    return Change(context,
                  "UpdateInstance",
                  *request,
                  request->instance().id(),
                  response,
                  [request](v1::Instance& instance) {
                    instance.set_name(request->instance().name());
                    return absl::OkStatus();
                  });
  }

  grpc::ServerUnaryReactor* DeleteInstance(grpc::CallbackServerContext* context,
                                           const v1::DeleteInstanceRequest* request,
                                           v1::Instance* response) override {
    return Act(context, "DeleteInstance", *request, response, [](v1::Instance& instance) {
      instance.set_status(v1::Instance::STATUS_SHUTDOWN);
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* RestartInstance(grpc::CallbackServerContext* context,
                                            const v1::RestartInstanceRequest* request,
                                            v1::Instance* response) override {
    return Act(context, "RestartInstance", *request, response, [](v1::Instance& instance) {
      return instance.name() == "ready"
                 ? absl::OkStatus()
                 : MakeError(Reason::kWrongState, "the instance is in BUILD");
    });
  }

  grpc::ServerUnaryReactor* StopInstance(grpc::CallbackServerContext* context,
                                         const v1::StopInstanceRequest* request,
                                         v1::Instance* response) override {
    return Act(context, "StopInstance", *request, response, Accept);
  }

  grpc::ServerUnaryReactor* StartInstance(grpc::CallbackServerContext* context,
                                          const v1::StartInstanceRequest* request,
                                          v1::Instance* response) override {
    return Act(context, "StartInstance", *request, response, Accept);
  }

  grpc::ServerUnaryReactor* RebuildInstance(grpc::CallbackServerContext* context,
                                            const v1::RebuildInstanceRequest* request,
                                            v1::Instance* response) override {
    return Act(context, "RebuildInstance", *request, response, Accept);
  }

  grpc::ServerUnaryReactor* ResizeInstance(grpc::CallbackServerContext* context,
                                           const v1::ResizeInstanceRequest* request,
                                           v1::Instance* response) override {
    return Act(context, "ResizeInstance", *request, response, [request](v1::Instance& instance) {
      if (request->flavor_id() == instance.flavor_id())
        return FieldError("flavor_id", "is the flavor that it has");
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* GrowVolume(grpc::CallbackServerContext* context,
                                       const v1::GrowVolumeRequest* request,
                                       v1::Instance* response) override {
    return Act(context, "GrowVolume", *request, response, [request](v1::Instance& instance) {
      if (request->size_gib() <= instance.volume().size_gib())
        return FieldError("size_gib", "must be larger than now");
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* AttachConfiguration(grpc::CallbackServerContext* context,
                                                const v1::AttachConfigurationRequest* request,
                                                v1::Instance* response) override {
    return Act(
        context, "AttachConfiguration", *request, response, [request](v1::Instance& instance) {
          if (!instance.configuration_id().empty())
            return FieldError("configuration_id", "is attached already");
          instance.set_configuration_id(request->configuration_id());
          instance.set_configuration_name("tuned");
          return absl::OkStatus();
        });
  }

  grpc::ServerUnaryReactor* DetachConfiguration(grpc::CallbackServerContext* context,
                                                const v1::DetachConfigurationRequest* request,
                                                v1::Instance* response) override {
    return Act(context, "DetachConfiguration", *request, response, [](v1::Instance& instance) {
      instance.clear_configuration_id();
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* UpgradeInstance(grpc::CallbackServerContext* context,
                                            const v1::UpgradeInstanceRequest* request,
                                            v1::Instance* response) override {
    return Act(context, "UpgradeInstance", *request, response, [request](v1::Instance&) {
      return request->datastore_version() == "11.4"
                 ? absl::OkStatus()
                 : FieldError("datastore_version", "is no version of mariadb");
    });
  }

 private:
  static absl::Status Accept(v1::Instance&) { return absl::OkStatus(); }

  // What can be only planned.
  template <typename Request, typename Effect>
  grpc::ServerUnaryReactor* Act(grpc::CallbackServerContext* context,
                                const char* rpc,
                                const Request& request,
                                v1::Instance* response,
                                Effect effect) {
    if (!request.validate_only())
      return Change(context, rpc, request, request.id(), response, effect);
    api_.Remember(rpc, request);
    FillPlan(rpc, response->mutable_plan());
    return On(context, request.id(), response, Accept);
  }

  template <typename Request, typename Effect>
  grpc::ServerUnaryReactor* Change(grpc::CallbackServerContext* context,
                                   const char* rpc,
                                   const Request& request,
                                   const std::string& id,
                                   v1::Instance* response,
                                   Effect effect) {
    api_.Remember(rpc, request);
    return On(context, id, response, effect);
  }

  template <typename Effect>
  grpc::ServerUnaryReactor* On(grpc::CallbackServerContext* context,
                               const std::string& id,
                               v1::Instance* response,
                               Effect effect) {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      const MutexLock lock(api_.mutex_);
      const auto found = api_.instances_.find(id);
      if (found == api_.instances_.end())
        return MakeError(Reason::kInstanceNotFound, "no instance " + id);
      if (absl::Status done = effect(found->second); !done.ok()) return done;
      response->MergeFrom(found->second);  // beside the plan, if there is one
      return absl::OkStatus();
    });
  }

  FakeApi& api_;
};

class FakeApi::Flavors final : public v1::FlavorService::CallbackService {
 public:
  explicit Flavors(FakeApi& api) : api_(api) {}

  grpc::ServerUnaryReactor* GetFlavor(grpc::CallbackServerContext* context,
                                      const v1::GetFlavorRequest* request,
                                      v1::Flavor* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      if (request->id() != "2") return MakeError(Reason::kFlavorNotFound, "no such flavor");
      *response = TheFlavor();
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* ListFlavors(grpc::CallbackServerContext* context,
                                        const v1::ListFlavorsRequest*,
                                        v1::ListFlavorsResponse* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      *response->add_flavors() = TheFlavor();
      return absl::OkStatus();
    });
  }

 private:
  FakeApi& api_;
};

class FakeApi::Datastores final : public v1::DatastoreService::CallbackService {
 public:
  explicit Datastores(FakeApi& api) : api_(api) {}

  grpc::ServerUnaryReactor* GetDatastore(grpc::CallbackServerContext* context,
                                         const v1::GetDatastoreRequest* request,
                                         v1::Datastore* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      if (request->datastore() != "mariadb")
        return MakeError(Reason::kDatastoreNotFound, "no such datastore");
      *response = TheDatastore();
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* ListDatastores(grpc::CallbackServerContext* context,
                                           const v1::ListDatastoresRequest*,
                                           v1::ListDatastoresResponse* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      *response->add_datastores() = TheDatastore();
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* GetDatastoreVersion(grpc::CallbackServerContext* context,
                                                const v1::GetDatastoreVersionRequest* request,
                                                v1::DatastoreVersion* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      const bool known = request->version() == TheVersion().id() ||
                         (request->version() == "10.11" && request->datastore() == "mariadb");
      if (!known) return MakeError(Reason::kVersionNotFound, "no such version");
      *response = TheVersion();
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* ListDatastoreVersions(
      grpc::CallbackServerContext* context,
      const v1::ListDatastoreVersionsRequest*,
      v1::ListDatastoreVersionsResponse* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      *response->add_versions() = TheVersion();
      return absl::OkStatus();
    });
  }

 private:
  FakeApi& api_;
};

class FakeApi::Limits final : public v1::LimitsService::CallbackService {
 public:
  explicit Limits(FakeApi& api) : api_(api) {}

  grpc::ServerUnaryReactor* GetLimits(grpc::CallbackServerContext* context,
                                      const v1::GetLimitsRequest*,
                                      v1::Limits* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      v1::Quota* quota = response->add_quotas();
      quota->set_resource("instances");
      quota->set_limit(10);
      return absl::OkStatus();
    });
  }

 private:
  FakeApi& api_;
};

FakeApi::FakeApi()
    : instance_service_(std::make_unique<Instances>(*this)),
      flavor_service_(std::make_unique<Flavors>(*this)),
      datastore_service_(std::make_unique<Datastores>(*this)),
      limits_service_(std::make_unique<Limits>(*this)),
      configuration_service_(MakeConfigurations(*this)),
      operation_service_(MakeOperations(*this)),
      event_service_(MakeEvents(*this)),
      audit_service_(MakeAudit(*this)) {
  rpc::ServerOptions options;
  options.mesh_id = mesh_.mesh_id();
  options.listeners.push_back(
      {.kind = rpc::ListenerKind::kMesh, .address = "127.0.0.1:0", .tls = mesh_.Service("api")});
  auto server = rpc::Server::Start(options,
                                   {rpc::Serve<v1::InstanceService>(*instance_service_),
                                    rpc::Serve<v1::FlavorService>(*flavor_service_),
                                    rpc::Serve<v1::DatastoreService>(*datastore_service_),
                                    rpc::Serve<v1::LimitsService>(*limits_service_),
                                    rpc::Serve<v1::ConfigurationService>(*configuration_service_),
                                    rpc::Serve<v1::OperationService>(*operation_service_),
                                    rpc::Serve<v1::EventService>(*event_service_),
                                    rpc::Serve<v1::AuditService>(*audit_service_)});
  TROVE_CHECK(server.ok());
  server_ = *std::move(server);
}

FakeApi::~FakeApi() = default;

std::size_t FakeApi::hanging() const {
  const MutexLock lock(mutex_);
  return hanging_.size();
}

std::vector<std::shared_ptr<grpc::Channel>> FakeApi::Channels(int count) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  channels.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    channels.push_back(rpc::MeshChannel(
        server_->address(0), mesh_.ServiceIdentity("api"), *mesh_.Service("gateway")));
  }
  return channels;
}

std::vector<std::string> FakeApi::request_ids() const {
  const MutexLock lock(mutex_);
  return request_ids_;
}

std::vector<std::string> FakeApi::changes() const {
  const MutexLock lock(mutex_);
  return changes_;
}

std::string FakeApi::last_change() const {
  const MutexLock lock(mutex_);
  return changes_.empty() ? "" : changes_.back();
}

std::string FakeApi::last_client() const {
  const MutexLock lock(mutex_);
  return last_client_;
}

absl::Status FakeApi::Admit(const Call& call, grpc::CallbackServerContext* context) {
  {
    const MutexLock lock(mutex_);
    request_ids_.push_back(call.request_id);
    const auto client = context->client_metadata().find(kClientKey);
    last_client_ = client == context->client_metadata().end()
                       ? ""
                       : std::string(client->second.data(), client->second.size());
  }
  const std::string token = rpc::CallerOf(*context).bearer_token.Reveal();
  if (token != "member" && token != "admin")
    return MakeError(Reason::kUnauthenticated, "nobody knows this token");
  const auto project = context->client_metadata().find(kPathProjectKey);
  if (project == context->client_metadata().end() || project->second != kProject)
    return MakeError(Reason::kProjectMismatch, "the path names another project");
  if (token == "admin") context->AddInitialMetadata(kAdminKey, "1");
  return absl::OkStatus();
}

}  // namespace trove::gateway
