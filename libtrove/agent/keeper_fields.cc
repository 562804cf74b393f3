#include "libtrove/agent/keeper_fields.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace trove::keeper {
namespace {

bool IsKey(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::optional<std::string> Unescape(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      plain.push_back(text[at]);
      continue;
    }
    if (++at == text.size()) return std::nullopt;
    if (text[at] == '\\') {
      plain.push_back('\\');
    } else if (text[at] == 'n') {
      plain.push_back('\n');
    } else {
      return std::nullopt;
    }
  }
  return plain;
}

}  // namespace

void Fields::Add(std::string_view key, std::string_view value) {
  entries_.emplace_back(key, value);
}

void Fields::Add(std::string_view key, std::int64_t value) {
  Add(key, std::string_view(std::to_string(value)));
}

void Fields::Add(std::string_view key, std::uint64_t value) {
  Add(key, std::string_view(std::to_string(value)));
}

void Fields::AddAll(std::string_view key, const std::vector<std::string>& values) {
  for (const std::string& value : values)
    Add(key, std::string_view(value));
}

std::string Fields::Encode() const {
  std::string text;
  for (const auto& [key, value] : entries_) {
    text += key;
    text += '=';
    for (const char c : value) {
      if (c == '\\') {
        text += "\\\\";
      } else if (c == '\n') {
        text += "\\n";
      } else {
        text += c;
      }
    }
    text += '\n';
  }
  return text;
}

Parsed<Fields> Fields::Decode(std::string_view text) {
  Fields fields;
  for (int line = 1; !text.empty(); ++line) {
    const auto wrong = [line](std::string_view what) {
      return Parsed<Fields>{{}, "line " + std::to_string(line) + ": " + std::string(what)};
    };
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return wrong("no line feed at the end");
    const std::string_view current = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (current.find('\0') != std::string_view::npos) return wrong("a NUL byte");
    const std::size_t equals = current.find('=');
    if (equals == std::string_view::npos) return wrong("not key=value");
    if (!IsKey(current.substr(0, equals))) return wrong("not a key in front of =");
    const std::optional<std::string> value = Unescape(current.substr(equals + 1));
    if (!value) return wrong("an unknown escape");
    fields.Add(current.substr(0, equals), std::string_view(*value));
  }
  return {std::move(fields), {}};
}

FieldReader::FieldReader(const Fields& fields) : left_(fields.entries()) {}

void FieldReader::Fail(std::string error) {
  if (error_.empty()) error_ = std::move(error);
}

const std::string& FieldReader::ErrorIfLeftOver() {
  if (!left_.empty()) Fail("unknown key " + left_.front().first);
  return error_;
}

std::optional<std::string> FieldReader::Take(std::string_view key) {
  const auto is_it = [key](const auto& entry) {
    return entry.first == key;
  };
  const auto found = std::find_if(left_.begin(), left_.end(), is_it);
  if (found == left_.end()) return std::nullopt;
  std::string value = std::move(found->second);
  const auto next = left_.erase(found);
  if (std::find_if(next, left_.end(), is_it) != left_.end())
    Fail("key " + std::string(key) + " comes twice");
  return value;
}

void FieldReader::Read(std::string_view key, std::string& value) {
  if (std::optional<std::string> text = Take(key)) value = *std::move(text);
}

void FieldReader::Read(std::string_view key, std::vector<std::string>& values) {
  std::vector<std::pair<std::string, std::string>> others;
  for (auto& entry : left_) {
    if (entry.first == key) {
      values.push_back(std::move(entry.second));
    } else {
      others.push_back(std::move(entry));
    }
  }
  left_ = std::move(others);
}

void FieldReader::Read(std::string_view key, bool& value) {
  const std::optional<std::string> text = Take(key);
  if (!text) return;
  if (*text != "0" && *text != "1") return Fail("key " + std::string(key) + " is not 0 or 1");
  value = *text == "1";
}

namespace {

template <class Number>
bool FromText(const std::string& text, Number& value) {
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stopped == end && !text.empty();
}

}  // namespace

void FieldReader::Parse(const std::optional<std::string>& text,
                        std::string_view key,
                        std::int64_t& value) {
  if (text && !FromText(*text, value)) Fail("key " + std::string(key) + " is not a number");
}

void FieldReader::Parse(const std::optional<std::string>& text,
                        std::string_view key,
                        std::uint64_t& value) {
  if (text && !FromText(*text, value)) Fail("key " + std::string(key) + " is not a number");
}

void FieldReader::Parse(const std::optional<std::string>& text, std::string_view key, int& value) {
  if (text && !FromText(*text, value)) Fail("key " + std::string(key) + " is not a number");
}

void FieldReader::Parse(const std::optional<std::string>& text,
                        std::string_view key,
                        unsigned& value) {
  if (text && !FromText(*text, value)) Fail("key " + std::string(key) + " is not a number");
}

}  // namespace trove::keeper
