#include "libtrove/rpc/server.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <grpc/grpc_security_constants.h>
#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "libtrove/base/check.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/rpc/call_context.h"
#include "libtrove/rpc/grpc_log.h"
#include "libtrove/rpc/mesh_verifier.h"

namespace trove::rpc {
namespace {

constexpr std::size_t kLongestSocketPath = 107;  // sockaddr_un, less its final zero
constexpr int kMostMessageBytes = 4 << 20;
constexpr int kMostStreamsPerConnection = 4096;
constexpr int kMostSyncThreads = 8;  // reflection and channelz are all that is synchronous

// What gRPC brings along, and of what we take what the table opens.
constexpr std::string_view kHealthMethods[] = {"/grpc.health.v1.Health/Check",
                                               "/grpc.health.v1.Health/Watch"};
constexpr std::string_view kReflectionMethod =
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
constexpr std::string_view kReflectionPlugin = "proto_server_reflection";
constexpr std::string_view kChannelzService = "grpc.channelz.v1.Channelz";
constexpr std::string_view kChannelzPlugin = "channelz_service";

// The wire names of a service's rpcs. Errors: kFailedPrecondition: no such service is linked in.
absl::StatusOr<std::vector<std::string>> MethodsOf(std::string_view service) {
  const google::protobuf::ServiceDescriptor* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(std::string(service));
  if (descriptor == nullptr) {
    return absl::FailedPreconditionError("no description of " + std::string(service) +
                                         " is linked into this program");
  }
  std::vector<std::string> methods;
  for (int i = 0; i < descriptor->method_count(); ++i)
    methods.push_back("/" + descriptor->full_name() + "/" + descriptor->method(i)->name());
  return methods;
}

// Lets through what the table allows, before any handler sees the call.
class Gatekeeper final : public grpc::AuthMetadataProcessor {
 public:
  Gatekeeper(const AllowTable& allow, const ListenerState& listener, std::set<std::string> methods)
      : allow_(allow), listener_(listener), methods_(methods.begin(), methods.end()) {}

  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& metadata,
                       grpc::AuthContext* context,
                       OutputMetadata* /*consumed*/,
                       OutputMetadata* /*response*/) override {
    const auto path = metadata.find(":path");
    if (path == metadata.end()) return {grpc::StatusCode::PERMISSION_DENIED, "no method named"};
    const std::string_view method(path->second.data(), path->second.size());
    if (methods_.find(method) == methods_.end())
      return {grpc::StatusCode::UNIMPLEMENTED, "no such method here: " + std::string(method)};

    identity::PeerIdentity peer;
    if (listener_.kind == ListenerKind::kMesh) {
      std::vector<std::string> uris;
      for (const grpc::string_ref& uri : context->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME))
        uris.emplace_back(uri.data(), uri.size());
      auto identified = identity::IdentifyPeer(uris, listener_.mesh_id);
      if (!identified.ok())
        return {grpc::StatusCode::UNAUTHENTICATED, MessageOf(identified.status())};
      peer = *std::move(identified);
    }
    const absl::Status allowed = allow_.Check(method, listener_.kind, peer);
    if (!allowed.ok()) return {grpc::StatusCode::PERMISSION_DENIED, MessageOf(allowed)};
    return grpc::Status::OK;
  }

 private:
  const AllowTable& allow_;
  const ListenerState& listener_;
  const std::set<std::string, std::less<>> methods_;
};

// Takes out of a builder the plugins that are not for this listener.
class WithoutPlugins final : public grpc::ServerBuilderOption {
 public:
  explicit WithoutPlugins(std::vector<std::string_view> names) : names_(std::move(names)) {}
  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins, [&](const std::unique_ptr<grpc::ServerBuilderPlugin>& plugin) {
      return std::find(names_.begin(), names_.end(), plugin->name()) != names_.end();
    });
  }

 private:
  const std::vector<std::string_view> names_;
};

std::shared_ptr<grpc::ServerCredentials> CredentialsOf(const ListenerOptions& listener,
                                                       const std::string& mesh_id) {
  grpc::experimental::TlsServerCredentialsOptions options(listener.tls->provider());
  options.watch_identity_key_cert_pairs();
  if (listener.kind == ListenerKind::kMesh) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.set_certificate_verifier(MakeMeshVerifier(mesh_id, std::nullopt));
  }
  return grpc::experimental::TlsServerCredentials(options);
}

absl::Status CheckListener(const ListenerOptions& listener, const std::string& mesh_id) {
  const std::string what = std::string(NameOf(listener.kind)) + " listener " + listener.address;
  if (listener.address.starts_with("unix:")) {
    const std::size_t length = listener.address.size() - std::string_view("unix:").size();
    if (length == 0 || length > kLongestSocketPath) {
      return absl::InvalidArgumentError(what + ": a socket path has 1 to 107 bytes, not " +
                                        std::to_string(length));
    }
  } else if (listener.address.find(':') == std::string::npos) {
    return absl::InvalidArgumentError(what + ": expected host:port or unix:/path");
  }
  if (listener.tls == nullptr || !listener.tls->has_certificate())
    return absl::InvalidArgumentError(what + ": needs a certificate and its key");
  if (listener.kind == ListenerKind::kMesh) {
    if (!listener.tls->has_authority())
      return absl::InvalidArgumentError(what + ": needs the mesh's authority");
    if (!identity::IsMeshId(mesh_id))
      return absl::InvalidArgumentError(what + ": \"" + mesh_id + "\" is no mesh id");
  }
  return absl::OkStatus();
}

// Every rpc of every service has a row, and every service is open on some listener.
absl::Status CheckServices(const ServerOptions& options,
                           const std::vector<ServedService>& services) {
  std::string unnamed;
  for (const ServedService& service : services) {
    if (service.implementation->has_synchronous_methods()) {
      return absl::FailedPreconditionError(service.name +
                                           " must derive from the generated CallbackService");
    }
    TROVE_ASSIGN_OR_RETURN(const std::vector<std::string> methods, MethodsOf(service.name));
    bool reachable = false;
    for (const std::string& method : methods) {
      if (!options.allow->Names(method)) unnamed += (unnamed.empty() ? "" : ", ") + method;
      for (const ListenerOptions& listener : options.listeners)
        reachable |= options.allow->IsOpenOn(method, listener.kind);
    }
    if (unnamed.empty() && !reachable)
      return absl::FailedPreconditionError(service.name + " is open on none of the listeners");
  }
  if (!unnamed.empty())
    return absl::FailedPreconditionError("the allow table has no row for " + unnamed);
  return absl::OkStatus();
}

void PrepareGrpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    UseOurLogForGrpc();
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::channelz::experimental::InitChannelzService();
  });
}

}  // namespace

class Server::Listener {
 public:
  static absl::StatusOr<std::unique_ptr<Listener>> Start(
      const ServerOptions& options,
      const ListenerOptions& listener,
      const std::vector<ServedService>& services);

  const std::string& address() const { return address_; }

  void SetServing(bool serving) {
    grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
    health->SetServingStatus("", serving);
    for (const std::string& name : names_)
      health->SetServingStatus(name, serving);
  }

  void EndStreams() { state_.draining.request_stop(); }

  void Shutdown(absl::Time deadline) {
    const std::lock_guard lock(shutdown_mutex_);  // held while waiting: the second waits too
    if (is_down_) return;
    server_->Shutdown(absl::ToChronoTime(deadline));
    is_down_ = true;
  }

 private:
  Listener(ListenerKind kind, std::string mesh_id) {
    state_.kind = kind;
    state_.mesh_id = std::move(mesh_id);
  }

  ListenerState state_;
  std::vector<std::string> names_;
  std::string address_;
  std::mutex shutdown_mutex_;
  bool is_down_ = false;
  std::unique_ptr<grpc::Server> server_;  // last: its calls use what is above
};

absl::StatusOr<std::unique_ptr<Server::Listener>> Server::Listener::Start(
    const ServerOptions& options,
    const ListenerOptions& listener,
    const std::vector<ServedService>& services) {
  std::unique_ptr<Listener> made(new Listener(listener.kind, options.mesh_id));
  grpc::ServerBuilder builder;
  std::set<std::string> methods;
  const auto is_open = [&](std::string_view method) {
    return options.allow->IsOpenOn(method, listener.kind);
  };
  const auto add_methods = [&](const std::vector<std::string>& of_service) {
    const bool any = std::any_of(of_service.begin(), of_service.end(), is_open);
    if (any) methods.insert(of_service.begin(), of_service.end());
    return any;
  };

  for (const ServedService& service : services) {
    TROVE_ASSIGN_OR_RETURN(const std::vector<std::string> of_service, MethodsOf(service.name));
    if (!add_methods(of_service)) continue;
    builder.RegisterService(service.implementation);
    made->names_.push_back(service.name);
  }
  if (made->names_.empty()) {
    return absl::FailedPreconditionError("the " + std::string(NameOf(listener.kind)) +
                                         " listener " + listener.address + " has no service");
  }
  add_methods({std::begin(kHealthMethods), std::end(kHealthMethods)});
  std::vector<std::string_view> unwanted;
  if (!add_methods({std::string(kReflectionMethod)})) unwanted.push_back(kReflectionPlugin);
  TROVE_ASSIGN_OR_RETURN(const std::vector<std::string> of_channelz, MethodsOf(kChannelzService));
  if (!add_methods(of_channelz)) unwanted.push_back(kChannelzPlugin);
  builder.SetOption(std::make_unique<WithoutPlugins>(std::move(unwanted)));

  const std::shared_ptr<grpc::ServerCredentials> credentials =
      CredentialsOf(listener, options.mesh_id);
  credentials->SetAuthMetadataProcessor(
      std::make_shared<Gatekeeper>(*options.allow, made->state_, std::move(methods)));
  int port = 0;
  builder.AddListeningPort(listener.address, credentials, &port);

  builder.SetContextAllocator(MakeContextAllocator(made->state_));
  builder.SetMaxReceiveMessageSize(kMostMessageBytes);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
  grpc::ResourceQuota quota(listener.address);
  builder.SetResourceQuota(quota.SetMaxThreads(kMostSyncThreads));
  // Without this a second process could listen on the same port and take half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);

  made->server_ = builder.BuildAndStart();
  if (made->server_ == nullptr) {
    return absl::UnavailableError("cannot listen on " + listener.address +
                                  ": it is taken, or no address of this machine");
  }
  made->address_ = listener.address;
  if (!listener.address.starts_with("unix:"))
    made->address_ =
        listener.address.substr(0, listener.address.rfind(':') + 1) + std::to_string(port);
  return made;
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const std::vector<ServedService>& services) {
  PrepareGrpc();
  if (options.listeners.empty())
    return absl::InvalidArgumentError("a server needs at least one listener");
  for (const ListenerOptions& listener : options.listeners)
    TROVE_RETURN_IF_ERROR(CheckListener(listener, options.mesh_id));
  TROVE_RETURN_IF_ERROR(CheckServices(options, services));

  std::vector<std::unique_ptr<Listener>> listeners;
  for (const ListenerOptions& listener : options.listeners) {
    TROVE_ASSIGN_OR_RETURN(auto started, Listener::Start(options, listener, services));
    listeners.push_back(std::move(started));
  }
  std::unique_ptr<Server> server(new Server(std::move(listeners)));
  server->SetServing(true);
  return server;
}

Server::Server(std::vector<std::unique_ptr<Listener>> listeners)
    : listeners_(std::move(listeners)) {}

Server::~Server() {
  Drain(absl::ZeroDuration());
}

const std::string& Server::address(std::size_t listener) const {
  TROVE_CHECK(listener < listeners_.size());
  return listeners_[listener]->address();
}

void Server::SetServing(bool serving) {
  for (const auto& listener : listeners_)
    listener->SetServing(serving);
}

void Server::Drain(absl::Duration grace) {
  const absl::Time deadline = absl::Now() + grace;
  SetServing(false);
  for (const auto& listener : listeners_)
    listener->EndStreams();
  // Side by side, so that no listener accepts while another one waits.
  std::vector<std::jthread> threads;
  threads.reserve(listeners_.size());
  for (const auto& listener : listeners_)
    threads.emplace_back([&listener, deadline] { listener->Shutdown(deadline); });
}

}  // namespace trove::rpc
