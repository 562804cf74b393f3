#include "libtrove/rpc/grpc_log.h"

#include <mutex>
#include <string_view>

#include <grpc/support/log.h>

#include "libtrove/base/log.h"

namespace trove::rpc {
namespace {

// gRPC calls errors what it recovers from: a failed handshake, a connection that was reset. And
// this, which happens whenever a client connects to an address instead of a name.
bool IsNothing(std::string_view message) {
  return message.starts_with("No match found for server name");
}

void Write(gpr_log_func_args* args) {
  const Log log;
  if (args->severity == GPR_LOG_SEVERITY_ERROR && !IsNothing(args->message)) {
    log.Warning("gRPC", {{"what", args->message}, {"file", args->file}, {"line", args->line}});
  } else {
    log.Debug("gRPC", {{"what", args->message}, {"file", args->file}, {"line", args->line}});
  }
}

}  // namespace

void UseOurLogForGrpc() {
  static std::once_flag once;
  std::call_once(once, [] { gpr_set_log_function(Write); });
}

}  // namespace trove::rpc
