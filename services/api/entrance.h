#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <absl/status/status.h>
#include <grpcpp/support/server_callback.h>

#include "libtrove/base/executor.h"
#include "libtrove/rpc/handlers.h"
#include "services/api/audit_log.h"
#include "services/api/gate.h"
#include "services/api/requests.h"

namespace trove::api {

/// How every rpc comes in: through the gate, then to one function of a class that knows nothing of
/// gRPC. A function is
///
///   absl::Status Get(const Call&, const Caller&, const v1::GetInstanceRequest&, v1::Instance*)
///
/// Thread-safe.
class Entrance {
 public:
  template <typename Owner, typename Request, typename Response>
  using Function = absl::Status (Owner::*)(const Call&, const Caller&, const Request&, Response*);

  /// All must outlive this object; `writers` the server too.
  Entrance(Gate& gate, AuditLog& audit, Executor& writers)
      : gate_(gate), audit_(audit), writers_(writers) {}

  /// A read: at once, on gRPC's thread.
  template <typename Owner, typename Request, typename Response>
  grpc::ServerUnaryReactor* Read(
      grpc::CallbackServerContext* context,
      Action action,
      const Request* request,
      Response* response,
      Owner& owner,
      std::type_identity_t<Function<Owner, Request, Response>> function) {
    return rpc::Inline(context, [&](const Call& call) -> absl::Status {
      Caller caller;
      const absl::Status admitted = gate_.Admit(call, *context, action, &caller);
      return admitted.ok() ? (owner.*function)(call, caller, *request, response) : admitted;
    });
  }

  /// A change: on the executor, and on record when it is refused. `collection` is what the
  /// request's id is an id of: `instances`.
  template <typename Owner, typename Request, typename Response>
  grpc::ServerUnaryReactor* Write(
      grpc::CallbackServerContext* context,
      Action action,
      std::string_view collection,
      const Request* request,
      Response* response,
      Owner& owner,
      std::type_identity_t<Function<Owner, Request, Response>> function) {
    return rpc::Pooled(writers_, context, [=, this, &owner](const Call& call) -> absl::Status {
      Caller caller;
      absl::Status outcome = gate_.Admit(call, *context, action, &caller);
      if (outcome.ok()) outcome = (owner.*function)(call, caller, *request, response);
      if (!outcome.ok() && !IsPlan(*request)) {
        audit_.Record(
            AuditEntryOf(caller, ResourceOf(collection, *request), request->request_id(), outcome));
      }
      return outcome;
    });
  }

  /// A watch: `begin` (call, caller, stream → void) hands the stream to whoever feeds it. It ends
  /// with the token at the latest.
  template <typename Response, typename Begin>
  grpc::ServerWriteReactor<Response>* Watch(grpc::CallbackServerContext* context,
                                            Action action,
                                            Begin&& begin) {
    return rpc::Streaming<Response>(
        context, [&](const Call& call, const rpc::Stream<Response>& stream) {
          Caller caller;
          const absl::Status admitted = gate_.Admit(call, *context, action, &caller);
          if (admitted.ok()) {
            Call until = call;
            until.deadline = std::min(call.deadline, caller.until);
            begin(until, caller, stream);
          } else {
            stream.Close(admitted);
          }
        });
  }

 private:
  template <typename Request>
  static bool IsPlan(const Request& request) {
    if constexpr (requires { request.validate_only(); }) return request.validate_only();
    return false;
  }

  template <typename Request>
  static std::string ResourceOf(std::string_view collection, const Request& request) {
    std::string id;
    if constexpr (requires { request.instance().id(); }) {
      id = request.instance().id();
    } else if constexpr (requires { request.id(); }) {
      id = request.id();
    } else if constexpr (requires { request.project_id(); }) {
      id = request.project_id();
    }
    return std::string(collection) + (id.empty() ? "" : "/" + id);
  }

  Gate& gate_;
  AuditLog& audit_;
  Executor& writers_;
};

}  // namespace trove::api
