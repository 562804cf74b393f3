#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "trove/v1/datastore.pb.h"
#include "trove/v1/flavor.pb.h"
#include "trove/v1/instance.pb.h"
#include "trove/v1/limits.pb.h"
#include "trove/v1/operation.pb.h"
#include "trove/v1/token.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/base/secret.h"

namespace trove::client {

/// Where a Trove is and who asks.
struct ClientOptions {
  std::string endpoint;  ///< host:port of the public gRPC listener
  Secret token;
  std::string ca_pem;  ///< the endpoints' authority
};

/// Reads TROVE_GRPC_ENDPOINT, TROVE_TOKEN and TROVE_CA, which `trovectl up` writes to `client.env`.
/// Errors: kFailedPrecondition names what is missing and how to set it; those of reading the file.
absl::StatusOr<ClientOptions> OptionsFromEnvironment();

/// Trove's public API for C++ programs: blocking calls with a deadline. Thread-safe.
///
/// Errors are the server's, with their ErrorDetail (libtrove/model/errors.h); kUnavailable: not
/// reached.
class Client {
 public:
  explicit Client(const ClientOptions& options);
  ~Client();

  absl::StatusOr<v1::Instance> CreateInstance(const Call& call,
                                              const v1::CreateInstanceRequest& request);
  absl::StatusOr<v1::Instance> GetInstance(const Call& call, const std::string& id);
  /// All pages.
  absl::StatusOr<std::vector<v1::Instance>> ListInstances(const Call& call);
  absl::StatusOr<v1::Instance> RenameInstance(const Call& call,
                                              const std::string& id,
                                              const std::string& name);
  absl::StatusOr<v1::Instance> DeleteInstance(const Call& call, const std::string& id);
  absl::StatusOr<v1::Instance> RestartInstance(const Call& call, const std::string& id);

  /// An instance by id, or by a name that only one has. Errors: kNotFound; kFailedPrecondition:
  /// several have this name, and the message has their ids.
  absl::StatusOr<v1::Instance> FindInstance(const Call& call, const std::string& id_or_name);

  absl::StatusOr<std::vector<v1::Datastore>> ListDatastores(const Call& call);
  absl::StatusOr<std::vector<v1::Flavor>> ListFlavors(const Call& call);
  absl::StatusOr<v1::Limits> GetLimits(const Call& call);
  absl::StatusOr<v1::Operation> GetOperation(const Call& call, const std::string& id);

  /// Calls `on_change` with the operation as it is and at each change, and returns it as it ended.
  /// Goes on after a lost connection until the call ends.
  absl::StatusOr<v1::Operation> WatchOperation(
      const Call& call,
      const std::string& id,
      const std::function<void(const v1::Operation&)>& on_change);

  absl::StatusOr<v1::CreateTokenResponse> CreateToken(const Call& call,
                                                      const v1::CreateTokenRequest& request);

  /// Names of all services that the server has, by reflection.
  absl::StatusOr<std::vector<std::string>> ListServices(const Call& call);

  /// Calls `package.Service/Method` with a request in JSON and returns each response in JSON, as
  /// the server describes them by reflection. Errors: kInvalidArgument: the JSON does not fit;
  /// kNotFound: no such method.
  absl::StatusOr<std::vector<std::string>> CallJson(const Call& call,
                                                    const std::string& method,
                                                    const std::string& request_json);

 private:
  struct Rep;
  const std::unique_ptr<Rep> rep_;
};

}  // namespace trove::client
