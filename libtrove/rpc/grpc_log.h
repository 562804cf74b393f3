#pragma once

namespace trove::rpc {

/// Sends what gRPC itself has to say through our log, as warnings. Once a process; more is fine.
void UseOurLogForGrpc();

}  // namespace trove::rpc
