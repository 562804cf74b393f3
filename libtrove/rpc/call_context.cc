#include "libtrove/rpc/call_context.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>

#include "libtrove/base/uuid.h"

namespace trove::rpc {
namespace {

constexpr std::size_t kLongestRequestId = 64;

class Context final : public grpc::CallbackServerContext {
 public:
  explicit Context(const ListenerState& listener) : listener_(listener) {}
  const ListenerState& listener() const { return listener_; }

 private:
  const ListenerState& listener_;
};

class Allocator final : public grpc::ContextAllocator {
 public:
  explicit Allocator(const ListenerState& listener) : listener_(listener) {}
  grpc::CallbackServerContext* NewCallbackServerContext() override {
    return new Context(listener_);
  }
  void Release(grpc::CallbackServerContext* context) override { delete context; }

 private:
  const ListenerState& listener_;
};

const ListenerState* ListenerOf(const grpc::CallbackServerContext& context) {
  const auto* ours = dynamic_cast<const Context*>(&context);
  return ours == nullptr ? nullptr : &ours->listener();
}

std::string_view MetadataOf(const grpc::CallbackServerContext& context, const char* key) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(key);
  if (found == metadata.end()) return {};
  return {found->second.data(), found->second.size()};
}

bool IsSaneRequestId(std::string_view id) {
  const auto is_sane = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !id.empty() && id.size() <= kLongestRequestId &&
         std::all_of(id.begin(), id.end(), is_sane);
}

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  };
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

Caller CallerOf(const grpc::CallbackServerContext& context) {
  Caller caller;
  caller.address = context.peer();
  if (const ListenerState* listener = ListenerOf(context)) {
    caller.listener = listener->kind;
    if (listener->kind == ListenerKind::kMesh) {
      std::vector<std::string> uris;
      for (const auto& uri :
           context.auth_context()->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME))
        uris.emplace_back(uri.data(), uri.size());
      if (auto peer = identity::IdentifyPeer(uris, listener->mesh_id); peer.ok())
        caller.identity = *std::move(peer);
    }
  }
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view authorization = MetadataOf(context, "authorization");
  if (EqualIgnoringCase(authorization.substr(0, kScheme.size()), kScheme))
    caller.bearer_token = Secret(std::string(authorization.substr(kScheme.size())));
  return caller;
}

std::string RequestIdOf(const grpc::CallbackServerContext& context) {
  const std::string_view given = MetadataOf(context, kRequestIdKey);
  return IsSaneRequestId(given) ? std::string(given) : "req-" + NewUuid();
}

Call BeginCall(grpc::CallbackServerContext& context,
               std::stop_token stop,
               absl::Duration otherwise) {
  const auto deadline = context.deadline();
  Call call{.deadline = deadline == std::chrono::system_clock::time_point::max()
                            ? absl::Now() + otherwise
                            : absl::FromChrono(deadline),
            .stop = std::move(stop),
            .request_id = RequestIdOf(context)};
  context.AddInitialMetadata(kRequestIdKey, call.request_id);
  return call;
}

std::stop_token DrainingOf(const grpc::CallbackServerContext& context) {
  const ListenerState* listener = ListenerOf(context);
  return listener == nullptr ? std::stop_token() : listener->draining.get_token();
}

std::unique_ptr<grpc::ContextAllocator> MakeContextAllocator(const ListenerState& listener) {
  return std::make_unique<Allocator>(listener);
}

}  // namespace trove::rpc
