#pragma once

#include <string>
#include <utility>
#include <vector>

#include <absl/time/time.h>

#include "trove/v1/instance.pb.h"

#include "tools/trovectl/commands/session.h"

namespace trove::trovectl {

/// `127.0.0.1:20017`; empty until known.
std::string AddressText(const v1::Instance& instance);

/// Names and values for PrintFields. Of one that is not ACTIVE they say why: the step, what it
/// waits for, since when (`now` tells how long that is), the last error, what to do.
std::vector<std::pair<std::string, std::string>> InstanceFields(const v1::Instance& instance,
                                                                absl::Time now);

/// Prints an instance in the session's format.
void PrintInstance(const v1::Instance& instance, const Session& session);

/// Prints what a request would do, in the session's format.
void PrintPlan(const v1::Instance& instance, const Session& session);

}  // namespace trove::trovectl
