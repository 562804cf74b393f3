#pragma once

#include <string>

#include <absl/status/status.h>

#include "libtrove/client/client.h"
#include "tools/trovectl/commands/session.h"

namespace trove::trovectl {

/// Waits until an operation has ended and shows on stderr how it gets there: elapsed time, step,
/// what it waits for. Ctrl-C leaves the operation alone and says how to go on. Errors: what became
/// of it, with an exit code of its own.
absl::Status WaitFor(client::Client& client,
                     const Session& session,
                     const std::string& operation_id);

}  // namespace trove::trovectl
