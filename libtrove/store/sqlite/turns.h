#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

// Turns on hosts: an operation asks for one when it begins, waits for it outside the index of what
// is due, and has it until it ends. A host's turns go round among projects.

namespace trove::sqlite {

/// Whether another operation may begin on `host`: fewer than `most` have their turn there, and
/// nobody waits for one. Sets `running` to how many have.
absl::StatusOr<bool> HasRoom(Transaction& tx, const std::string& host, int most, int& running);

/// Lets an operation that is due wait for its turn on `host`, where `running` have theirs.
absl::Status AwaitTurn(
    Transaction& tx, const OperationId& id, const std::string& host, int most, int running);

/// Gives turns on every host where fewer than `most` (0: any number) have theirs, and to those
/// whose deadline has passed: they are due. Does at most a few hundred.
absl::Status GiveTurns(Transaction& tx, int most);

/// Whether GiveTurns would give any.
absl::StatusOr<bool> TurnsAreFree(Transaction& tx, int most);

/// Gives the turn of an operation that has ended to the next one that waits for it.
absl::Status PassTurnOn(Transaction& tx, const OperationId& ended);

}  // namespace trove::sqlite
