#pragma once

#include <optional>
#include <string_view>

#include "trove/v1/operation.pb.h"

#include "libtrove/model/operation.h"

namespace trove::api {

/// An operation as its tenant sees it.
void FillOperation(const Operation& operation, v1::Operation* message);

/// What a message names; none: no state that an operation can be in.
std::optional<OperationState> ParseState(int state);

/// As `SUCCEEDED`.
std::string_view StateName(OperationState state);

}  // namespace trove::api
