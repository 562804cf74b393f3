// The services of the fake api that came with operations: what is watched, and what is recorded.

#include <algorithm>
#include <utility>

#include "libtrove/model/errors.h"
#include "libtrove/rpc/handlers.h"
#include "test/unit/gateway/fake_api.h"

namespace trove::gateway {
namespace {

constexpr std::int64_t kFirstPosition = 5;

bool Follows(const v1::Event& event, std::int64_t after, const std::string& subject) {
  return event.position() > after && event.subject().rfind(subject, 0) == 0;
}

}  // namespace

class FakeApi::Configurations final : public v1::ConfigurationService::CallbackService {
 public:
  explicit Configurations(FakeApi& api) : api_(api) {
    for (const char* id : {"c1", "c2"}) {
      v1::Configuration configuration;
      configuration.set_id(id);
      configuration.set_name("tuned");
      configuration.set_datastore_name("mariadb");
      configuration.set_version_id("93d1");
      configuration.set_version_name("10.11");
      configuration.set_version_number("10.11.6");
      (*configuration.mutable_values())["max_connections"] = "300";
      (*configuration.mutable_values())["admin_password"] = "\"geheim\"";
      configuration.mutable_created_at()->set_seconds(1767603600);
      configuration.mutable_updated_at()->set_seconds(1767603600);
      const MutexLock lock(api.mutex_);
      api.configurations_[id] = configuration;
    }
  }

  grpc::ServerUnaryReactor* CreateConfiguration(grpc::CallbackServerContext* context,
                                                const v1::CreateConfigurationRequest* request,
                                                v1::Configuration* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      api_.Remember("CreateConfiguration", *request);
      for (const auto& [name, value] : request->values()) {
        if (name == "max_connections" && value.find_first_not_of("0123456789") != std::string::npos)
          return MakeError(Reason::kConfigurationInvalid, "max_connections must be an integer");
      }
      response->set_id("c3");
      response->set_name(request->name());
      response->set_description(request->description());
      *response->mutable_values() = request->values();
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* GetConfiguration(grpc::CallbackServerContext* context,
                                             const v1::GetConfigurationRequest* request,
                                             v1::Configuration* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      const MutexLock lock(api_.mutex_);
      const auto found = api_.configurations_.find(request->id());
      if (found == api_.configurations_.end())
        return MakeError(Reason::kConfigurationNotFound, "no such group");
      *response = found->second;
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* ListConfigurations(grpc::CallbackServerContext* context,
                                               const v1::ListConfigurationsRequest* request,
                                               v1::ListConfigurationsResponse* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      const MutexLock lock(api_.mutex_);
      for (const auto& [id, configuration] : api_.configurations_) {
        if (id <= request->page_token()) continue;
        if (response->configurations_size() == request->page_size()) {
          response->set_next_page_token(response->configurations().rbegin()->id());
          break;
        }
        *response->add_configurations() = configuration;
      }
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* DeleteConfiguration(grpc::CallbackServerContext* context,
                                                const v1::DeleteConfigurationRequest* request,
                                                v1::DeleteConfigurationResponse*) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      api_.Remember("DeleteConfiguration", *request);
      if (request->id() == "c1") return MakeError(Reason::kConfigurationInUse, "it is used");
      const MutexLock lock(api_.mutex_);
      if (api_.configurations_.erase(request->id()) == 0)
        return MakeError(Reason::kConfigurationNotFound, "no such group");
      return absl::OkStatus();
    });
  }

 private:
  FakeApi& api_;
};

class FakeApi::Operations final : public v1::OperationService::CallbackService {
 public:
  explicit Operations(FakeApi& api) : api_(api) {}

  grpc::ServerUnaryReactor* GetOperation(grpc::CallbackServerContext* context,
                                         const v1::GetOperationRequest* request,
                                         v1::Operation* response) override {
    return On(
        context, request->id(), response, [](const v1::Operation&) { return absl::OkStatus(); });
  }

  grpc::ServerUnaryReactor* ListOperations(grpc::CallbackServerContext* context,
                                           const v1::ListOperationsRequest* request,
                                           v1::ListOperationsResponse* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      api_.Remember("ListOperations", *request);
      if (request->all_projects())
        return MakeError(Reason::kPermissionDenied, "this takes the role admin");
      const MutexLock lock(api_.mutex_);
      for (const auto& [id, operation] : api_.operations_)
        *response->add_operations() = operation;
      if (!api_.operations_.empty()) response->set_next_page_token("more@1");
      return absl::OkStatus();
    });
  }

  grpc::ServerWriteReactor<v1::Operation>* WatchOperation(
      grpc::CallbackServerContext* context, const v1::WatchOperationRequest* request) override {
    return rpc::Streaming<v1::Operation>(
        context, [&](const Call& call, const rpc::Stream<v1::Operation>& stream) {
          if (absl::Status admitted = api_.Admit(call, context); !admitted.ok())
            return stream.Close(admitted);
          const MutexLock lock(api_.mutex_);
          const auto found = api_.operations_.find(request->id());
          if (found == api_.operations_.end())
            return stream.Close(MakeError(Reason::kOperationNotFound, "no such operation"));
          stream.TryWrite(found->second).IgnoreError();  // there is room
          api_.operation_watches_.push_back({call, stream, request->id()});
        });
  }

  grpc::ServerUnaryReactor* CancelOperation(grpc::CallbackServerContext* context,
                                            const v1::CancelOperationRequest* request,
                                            v1::Operation* response) override {
    api_.Remember("CancelOperation", *request);
    return On(context, request->id(), response, [](const v1::Operation& operation) {
      return operation.cancellable() ? absl::OkStatus()
                                     : MakeError(Reason::kNotCancellable, "it is too late");
    });
  }

  grpc::ServerUnaryReactor* RetryOperation(grpc::CallbackServerContext* context,
                                           const v1::RetryOperationRequest* request,
                                           v1::Operation* response) override {
    api_.Remember("RetryOperation", *request);
    return On(context, request->id(), response, [](const v1::Operation& operation) {
      return operation.state() == v1::Operation::STATE_FAILED
                 ? absl::OkStatus()
                 : MakeError(Reason::kNotRetryable, "it did not fail");
    });
  }

 private:
  template <typename Check>
  grpc::ServerUnaryReactor* On(grpc::CallbackServerContext* context,
                               const std::string& id,
                               v1::Operation* response,
                               Check check) {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      const MutexLock lock(api_.mutex_);
      const auto found = api_.operations_.find(id);
      if (found == api_.operations_.end())
        return MakeError(Reason::kOperationNotFound, "no such operation");
      *response = found->second;
      return check(found->second);
    });
  }

  FakeApi& api_;
};

class FakeApi::Events final : public v1::EventService::CallbackService {
 public:
  explicit Events(FakeApi& api) : api_(api) {}

  grpc::ServerUnaryReactor* ListEvents(grpc::CallbackServerContext* context,
                                       const v1::ListEventsRequest* request,
                                       v1::ListEventsResponse* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      if (request->after_position() > 0 && request->after_position() < kFirstPosition - 1)
        return MakeError(Reason::kEventsGone, "events up to 4 have been forgotten");
      const MutexLock lock(api_.mutex_);
      response->set_next_position(request->after_position());
      for (const v1::Event& event : api_.events_) {
        if (!Follows(event, request->after_position(), request->subject())) continue;
        if (response->events_size() == request->page_size()) break;
        *response->add_events() = event;
        response->set_next_position(event.position());
      }
      return absl::OkStatus();
    });
  }

  grpc::ServerWriteReactor<v1::Event>* WatchEvents(grpc::CallbackServerContext* context,
                                                   const v1::WatchEventsRequest* request) override {
    return rpc::Streaming<v1::Event>(
        context, [&](const Call& call, const rpc::Stream<v1::Event>& stream) {
          if (absl::Status admitted = api_.Admit(call, context); !admitted.ok())
            return stream.Close(admitted);
          const MutexLock lock(api_.mutex_);
          for (const v1::Event& event : api_.events_) {
            if (request->has_after_position() &&
                Follows(event, request->after_position(), request->subject()))
              stream.TryWrite(event).IgnoreError();  // tests have fewer than fit
          }
          api_.event_watches_.push_back({call, stream, request->subject()});
        });
  }

 private:
  FakeApi& api_;
};

class FakeApi::Audit final : public v1::AuditService::CallbackService {
 public:
  explicit Audit(FakeApi& api) : api_(api) {}

  grpc::ServerUnaryReactor* ListAuditRecords(grpc::CallbackServerContext* context,
                                             const v1::ListAuditRecordsRequest* request,
                                             v1::ListAuditRecordsResponse* response) override {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      if (absl::Status admitted = api_.Admit(call, context); !admitted.ok()) return admitted;
      api_.Remember("ListAuditRecords", *request);
      v1::AuditRecord* record = response->add_records();
      record->set_id(7);
      record->mutable_time()->set_seconds(1767603600);
      record->mutable_time()->set_nanos(1'500'000);
      record->set_project_id("p");
      record->set_user("member@p");
      record->add_roles("member");
      record->set_peer("192.0.2.7");
      record->set_action("CreateInstance");
      record->set_outcome("QUOTA_EXCEEDED");
      response->set_next_page_token("6");
      return absl::OkStatus();
    });
  }

 private:
  FakeApi& api_;
};

std::unique_ptr<v1::ConfigurationService::CallbackService> FakeApi::MakeConfigurations(
    FakeApi& api) {
  return std::make_unique<Configurations>(api);
}

std::unique_ptr<v1::OperationService::CallbackService> FakeApi::MakeOperations(FakeApi& api) {
  return std::make_unique<Operations>(api);
}

std::unique_ptr<v1::EventService::CallbackService> FakeApi::MakeEvents(FakeApi& api) {
  return std::make_unique<Events>(api);
}

std::unique_ptr<v1::AuditService::CallbackService> FakeApi::MakeAudit(FakeApi& api) {
  return std::make_unique<Audit>(api);
}

void FakeApi::SetOperation(const v1::Operation& operation) {
  const bool ended = operation.has_finished_at();
  std::vector<rpc::Stream<v1::Operation>> streams;
  {
    const MutexLock lock(mutex_);
    operations_[operation.id()] = operation;
    for (const auto& watch : operation_watches_) {
      if (watch.subject == operation.id()) streams.push_back(watch.stream);
    }
  }
  for (const auto& stream : streams) {
    stream.TryWrite(operation).IgnoreError();  // whoever has left has left
    if (ended) stream.Close();
  }
}

void FakeApi::Publish(const std::string& subject, const std::string& data) {
  v1::Event event;
  std::vector<rpc::Stream<v1::Event>> streams;
  {
    const MutexLock lock(mutex_);
    event.set_position(kFirstPosition + static_cast<std::int64_t>(events_.size()));
    event.set_id("e" + std::to_string(event.position()));
    event.set_source("/trove/0a1b2c3d");
    event.set_type("trove.instance.created");
    event.set_subject(subject);
    event.mutable_time()->set_seconds(1767603600);
    event.mutable_time()->set_nanos(123'456'789);
    event.set_project_id("p");
    event.set_resource_version(3'000'000'000);
    event.set_data(data);
    events_.push_back(event);
    for (const auto& watch : event_watches_) {
      if (subject.rfind(watch.subject, 0) == 0 && !watch.call.stop.stop_requested())
        streams.push_back(watch.stream);
    }
  }
  for (const auto& stream : streams) {
    const Call call = CallFor(absl::Seconds(1));
    stream.Write(call, event).IgnoreError();  // whoever reads slowly misses it
  }
}

std::size_t FakeApi::watches() const {
  const auto open = [](const auto& watch) {
    return !watch.call.stop.stop_requested();
  };
  const MutexLock lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(operation_watches_.begin(), operation_watches_.end(), open) +
      std::count_if(event_watches_.begin(), event_watches_.end(), open));
}

void FakeApi::EndWatches(const absl::Status& status) {
  const MutexLock lock(mutex_);
  for (const auto& watch : operation_watches_)
    watch.stream.Close(status);
  for (const auto& watch : event_watches_)
    watch.stream.Close(status);
}

}  // namespace trove::gateway
