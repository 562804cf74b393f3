#pragma once

#include <string>

#include "trove/v1/event.pb.h"

namespace trove::trovectl {

/// An event in the JSON form of CloudEvents 1.0, on one line. Extensions: `projectid`,
/// `resourceversion` and `position`, as texts.
std::string CloudEventJson(const v1::Event& event);

/// An event in a line for people: position, time, type, subject, data.
std::string EventLine(const v1::Event& event);

}  // namespace trove::trovectl
