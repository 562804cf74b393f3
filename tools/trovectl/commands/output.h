#pragma once

#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <google/protobuf/message.h>

namespace trove::trovectl {

enum class OutputFormat { kTable, kJson };

/// Rows under headings, columns as wide as they need; a last column that is empty everywhere is
/// left out.
std::string TableText(const std::vector<std::string>& headings,
                      const std::vector<std::vector<std::string>>& rows);

/// TableText on stdout.
void PrintTable(const std::vector<std::string>& headings,
                const std::vector<std::vector<std::string>>& rows);

/// One thing: a name and a value a line; empty values are left out.
void PrintFields(const std::vector<std::pair<std::string, std::string>>& fields);

/// Messages as JSON on stdout: one object, or an array when `list`.
void PrintJson(const std::vector<const google::protobuf::Message*>& messages, bool list);

/// A message as JSON on one line.
std::string JsonLine(const google::protobuf::Message& message);

/// Messages of one kind as PrintJson has them.
template <typename Message>
void PrintJsonList(const std::vector<Message>& messages) {
  std::vector<const google::protobuf::Message*> pointers;
  pointers.reserve(messages.size());
  for (const Message& message : messages)
    pointers.push_back(&message);
  PrintJson(pointers, true);
}

/// What went wrong, for a person: the message, each wrong field, when to try again, what to do.
std::string ErrorText(const absl::Status& status);

/// ErrorText on stderr.
void PrintError(const absl::Status& status);

}  // namespace trove::trovectl
