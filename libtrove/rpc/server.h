#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/impl/service_type.h>

#include "libtrove/rpc/allow_table.h"
#include "libtrove/rpc/tls_source.h"

namespace trove::rpc {

struct ListenerOptions {
  ListenerKind kind = ListenerKind::kMesh;
  /// "host:port", "[v6]:port" or "unix:/path"; port 0 takes any free one.
  std::string address;
  /// Certificate and key to show; for kMesh also the authority that clients must chain to.
  std::shared_ptr<const TlsSource> tls;
};

struct ServerOptions {
  std::string mesh_id;  ///< whose identities a mesh listener takes
  std::vector<ListenerOptions> listeners;
  const AllowTable* allow = &TroveAllowTable();  ///< must outlive the server
};

/// A service and the name of its definition; made by Serve.
struct ServedService {
  std::string name;  ///< "trove.v1.InstanceService"
  grpc::Service* implementation = nullptr;
};

/// Names an implementation for Server::Start: Serve<v1::InstanceService>(instance_handlers). It
/// must outlive the server.
template <typename Definition, std::derived_from<typename Definition::Service> Implementation>
ServedService Serve(Implementation& implementation) {
  return {Definition::service_full_name(), &implementation};
}

/// All gRPC listeners of a process. Each listener has exactly the services of which the allow table
/// opens some rpc on listeners of its kind, so what is not for a listener is not even there, and
/// checks each call against the table. On every one: health (grpc.health.v1) and reflection; on
/// mesh listeners also channelz. Thread-safe.
class Server {
 public:
  /// Binds, starts and reports SERVING. Errors: kInvalidArgument: malformed options;
  /// kFailedPrecondition: a service has an rpc that the table does not name (all are listed), is
  /// not written against the callback API, or is open on none of the listeners, or a listener is
  /// left without a service; kUnavailable: an address cannot be bound, as it is taken or not of
  /// this machine.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       const std::vector<ServedService>& services);

  /// Ends calls at once, if Drain has not been called.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// The real address of the n-th listener of the options: "host:port" or "unix:/path".
  const std::string& address(std::size_t listener) const;

  /// Reports SERVING or NOT_SERVING on every listener, for the server ("") and each service.
  void SetServing(bool serving);

  /// Stops in order: reports NOT_SERVING, ends streams with UNAVAILABLE, accepts nothing new, lets
  /// running calls finish for `grace`, then cancels them (their stop tokens are set) and returns
  /// when the last handler has finished. Later calls wait for the first and do nothing.
  void Drain(absl::Duration grace);

 private:
  class Listener;
  explicit Server(std::vector<std::unique_ptr<Listener>> listeners);

  const std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace trove::rpc
