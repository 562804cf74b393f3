#include "tools/trovectl/commands/output.h"

#include <algorithm>
#include <cstdio>

#include <absl/strings/cord.h>
#include <google/protobuf/util/json_util.h>

#include "trove/v1/error.pb.h"

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"

namespace trove::trovectl {
namespace {

// Characters, not bytes, so that names in every script line up.
std::size_t WidthOf(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string RowText(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    line += cells[i];
    if (i + 1 < widths.size()) line.append(widths[i] - WidthOf(cells[i]) + 2, ' ');
  }
  while (line.ends_with(' '))
    line.pop_back();
  return line + "\n";
}

}  // namespace

std::string TableText(const std::vector<std::string>& headings,
                      const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  widths.reserve(headings.size());
  for (const std::string& heading : headings)
    widths.push_back(WidthOf(heading));
  const bool last_is_empty =
      !rows.empty() &&
      std::all_of(rows.begin(), rows.end(), [](const auto& row) { return row.back().empty(); });
  if (last_is_empty) widths.pop_back();
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i)
      widths[i] = std::max(widths[i], WidthOf(row[i]));
  }
  std::string text = RowText(headings, widths);
  for (const auto& row : rows)
    text += RowText(row, widths);
  return text;
}

void PrintTable(const std::vector<std::string>& headings,
                const std::vector<std::vector<std::string>>& rows) {
  std::fputs(TableText(headings, rows).c_str(), stdout);
}

void PrintFields(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::size_t width = 0;
  for (const auto& [name, value] : fields)
    width = std::max(width, name.size());
  for (const auto& [name, value] : fields) {
    if (!value.empty())
      std::printf("%-*s  %s\n", static_cast<int>(width), name.c_str(), value.c_str());
  }
}

void PrintJson(const std::vector<const google::protobuf::Message*>& messages, bool list) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  for (const google::protobuf::Message* message : messages) {
    std::string json;
    if (!google::protobuf::util::MessageToJsonString(*message, &json, options).ok()) json = "{}";
    while (!json.empty() && json.back() == '\n')
      json.pop_back();
    text += (text.empty() ? "" : ",\n") + json;
  }
  std::printf(list ? "[%s]\n" : "%s\n", text.c_str());
}

std::string JsonLine(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) json = "{}";
  return json;
}

std::string ErrorText(const absl::Status& status) {
  std::string text = "trovectl: " + MessageOf(status) + "\n";
  const auto payload = status.GetPayload(kErrorDetailUrl);
  v1::ErrorDetail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload))) return text;
  // The message says the first one already.
  for (int i = 1; i < detail.field_violations_size(); ++i) {
    const auto& violation = detail.field_violations(i);
    text += "  " + violation.field() + ": " + violation.description() + "\n";
  }
  if (detail.has_retry_after())
    text += "  Try again in " + std::to_string(detail.retry_after().seconds()) + " s.\n";
  if (!detail.help().empty()) text += "  " + detail.help() + "\n";
  return text;
}

void PrintError(const absl::Status& status) {
  std::fputs(ErrorText(status).c_str(), stderr);
}

}  // namespace trove::trovectl
