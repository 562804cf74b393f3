#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trove::keeper {

/// A value, or why there is none. What absl::StatusOr is elsewhere: the keeper links nothing but
/// libc and libstdc++.
template <class T>
struct Parsed {
  std::optional<T> value;
  std::string error;  ///< empty exactly when there is a value
};

/// An ordered list of keys and values, as text: one `key=value` line each, where a key is made of
/// [a-z0-9_] and a value has `\\` for a backslash and `\n` for a line feed. A key may come again.
/// It is the form of everything the keeper reads and writes: spec file, state file and frames.
class Fields {
 public:
  void Add(std::string_view key, std::string_view value);
  void Add(std::string_view key, const char* value) { Add(key, std::string_view(value)); }
  void Add(std::string_view key, std::int64_t value);
  void Add(std::string_view key, std::uint64_t value);
  void Add(std::string_view key, int value) { Add(key, std::int64_t{value}); }
  void Add(std::string_view key, bool value) { Add(key, std::int64_t{value ? 1 : 0}); }
  void AddAll(std::string_view key, const std::vector<std::string>& values);

  std::string Encode() const;

  /// Errors: a line without `=` or without its line feed, an empty or odd key, an unknown escape, a
  /// NUL byte. The message names the line.
  static Parsed<Fields> Decode(std::string_view text);

  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

/// Takes values out of Fields and remembers the first thing that was wrong. A key that is absent
/// leaves its target as it was.
class FieldReader {
 public:
  explicit FieldReader(const Fields& fields);

  void Read(std::string_view key, std::string& value);
  void Read(std::string_view key, std::vector<std::string>& values);
  void Read(std::string_view key, bool& value);
  template <class Number>
  void Read(std::string_view key, Number& value) {
    Parse(Take(key), key, value);
  }
  template <class Number>
  void Read(std::string_view key, std::optional<Number>& value) {
    const std::optional<std::string> text = Take(key);
    if (!text) return;
    value.emplace();
    Parse(text, key, *value);
  }

  /// Notes that `key` was needed. Called after reading, when the value read is still empty.
  void Missing(std::string_view key) { Fail("missing key " + std::string(key)); }
  void Fail(std::string error);

  /// What was wrong; empty when nothing was.
  const std::string& error() const { return error_; }
  /// The same, and a key that nobody has read counts as wrong.
  const std::string& ErrorIfLeftOver();

 private:
  std::optional<std::string> Take(std::string_view key);
  void Parse(const std::optional<std::string>& text, std::string_view key, std::int64_t& value);
  void Parse(const std::optional<std::string>& text, std::string_view key, std::uint64_t& value);
  void Parse(const std::optional<std::string>& text, std::string_view key, int& value);
  void Parse(const std::optional<std::string>& text, std::string_view key, unsigned& value);

  std::vector<std::pair<std::string, std::string>> left_;
  std::string error_;
};

}  // namespace trove::keeper
