#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/id.h"
#include "libtrove/store/sqlite/connection.h"

namespace trove::sqlite {

/// Text that is bytes, for a BLOB column.
struct Blob {
  const std::string& bytes;
};

/// A time as it is stored: microseconds since 1970, UTC; the infinities are the ends of the range.
std::int64_t StoredTime(absl::Time time);
absl::Time TimeOf(std::int64_t stored);

// One parameter (from 1) or column (from 0) of a statement, in the type of the field.
void Bind(sqlite3_stmt* statement, int parameter, std::string_view text);
void Bind(sqlite3_stmt* statement, int parameter, std::int64_t number);
void Bind(sqlite3_stmt* statement, int parameter, absl::Time time);
void Bind(sqlite3_stmt* statement, int parameter, const Blob& blob);
/// A list of words, one a line.
void Bind(sqlite3_stmt* statement, int parameter, const std::vector<std::string>& words);
inline void Bind(sqlite3_stmt* statement, int parameter, const char* text) {
  Bind(statement, parameter, std::string_view(text));
}
inline void Bind(sqlite3_stmt* statement, int parameter, const std::string& text) {
  Bind(statement, parameter, std::string_view(text));
}
template <typename Tag>
void Bind(sqlite3_stmt* statement, int parameter, const Id<Tag>& id) {
  Bind(statement, parameter, std::string_view(id.value()));
}
template <typename T>
requires(std::is_integral_v<T> ||
         std::is_enum_v<T>) void Bind(sqlite3_stmt* statement, int parameter, T value) {
  Bind(statement, parameter, static_cast<std::int64_t>(value));
}
template <typename T>
void Bind(sqlite3_stmt* statement, int parameter, const std::optional<T>& value) {
  if (value) Bind(statement, parameter, *value);  // a parameter that is not bound is NULL
}

void Get(sqlite3_stmt* statement, int column, std::string& text);
void Get(sqlite3_stmt* statement, int column, std::int64_t& number);
void Get(sqlite3_stmt* statement, int column, absl::Time& time);
void Get(sqlite3_stmt* statement, int column, std::vector<std::string>& words);
template <typename Tag>
void Get(sqlite3_stmt* statement, int column, Id<Tag>& id) {
  std::string text;
  Get(statement, column, text);
  id = Id<Tag>(std::move(text));
}
template <typename T>
requires(std::is_integral_v<T> ||
         std::is_enum_v<T>) void Get(sqlite3_stmt* statement, int column, T& value) {
  std::int64_t number = 0;
  Get(statement, column, number);
  value = static_cast<T>(number);
}
template <typename T>
void Get(sqlite3_stmt* statement, int column, std::optional<T>& value) {
  value.reset();
  if (sqlite3_column_type(statement, column) != SQLITE_NULL)
    Get(statement, column, value.emplace());
}

/// A statement that is being run. `sql` must live as long as the connection: a literal or a static
/// string. One that could not be prepared says so at the first step.
class Statement {
 public:
  template <typename... Values>
  explicit Statement(Connection& db, std::string_view sql, const Values&... values)
      : db_(db), sql_(sql) {
    absl::StatusOr<StatementHandle> taken = db.Take(sql);
    if (!taken.ok()) {
      status_ = std::move(taken).status();
      return;
    }
    statement_ = *std::move(taken);
    int parameter = 0;
    (Bind(statement_.get(), ++parameter, values), ...);
  }
  ~Statement() {
    if (statement_ != nullptr) db_.Return(sql_, std::move(statement_));
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// True: there is a row, to be read before the next step. False: that was all.
  absl::StatusOr<bool> Step();

  /// Reads the row's next columns, from the first one on.
  template <typename... Fields>
  void Read(Fields&... fields) {
    (Get(statement_.get(), column_++, fields), ...);
  }
  void Skip(int columns) { column_ += columns; }
  /// Whether the next column is NULL: a row that an outer join did not find.
  bool AtNull() const { return sqlite3_column_type(statement_.get(), column_) == SQLITE_NULL; }

 private:
  Connection& db_;
  std::string_view sql_;
  StatementHandle statement_;
  absl::Status status_;
  int column_ = 0;
};

/// Runs a statement to its end; its rows are not looked at.
template <typename... Values>
absl::Status Run(Connection& db, std::string_view sql, const Values&... values) {
  Statement statement(db, sql, values...);
  while (true) {
    const absl::StatusOr<bool> row = statement.Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
  }
}

}  // namespace trove::sqlite
