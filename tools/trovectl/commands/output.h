#pragma once

#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <google/protobuf/message.h>

namespace trove::trovectl {

enum class OutputFormat { kTable, kJson };

/// Rows under headings, columns as wide as they need, on stdout.
void PrintTable(const std::vector<std::string>& headings,
                const std::vector<std::vector<std::string>>& rows);

/// One thing: a name and a value a line; empty values are left out.
void PrintFields(const std::vector<std::pair<std::string, std::string>>& fields);

/// Messages as JSON on stdout: one object, or an array when `list`.
void PrintJson(const std::vector<const google::protobuf::Message*>& messages, bool list);

/// What went wrong, for a person, on stderr: the message, each wrong field, what to do.
void PrintError(const absl::Status& status);

}  // namespace trove::trovectl
