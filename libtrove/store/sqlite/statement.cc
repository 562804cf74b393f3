#include "libtrove/store/sqlite/statement.h"

#include <limits>

namespace trove::sqlite {
namespace {

constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();

}  // namespace

std::int64_t StoredTime(absl::Time time) {
  if (time == absl::InfinitePast()) return kFirst;
  if (time == absl::InfiniteFuture()) return kLast;
  return absl::ToUnixMicros(time);
}

absl::Time TimeOf(std::int64_t stored) {
  if (stored == kFirst) return absl::InfinitePast();
  if (stored == kLast) return absl::InfiniteFuture();
  return absl::FromUnixMicros(stored);
}

void Bind(sqlite3_stmt* statement, int parameter, std::string_view text) {
  // A null pointer would bind NULL.
  const char* const data = text.empty() ? "" : text.data();
  sqlite3_bind_text64(statement, parameter, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void Bind(sqlite3_stmt* statement, int parameter, std::int64_t number) {
  sqlite3_bind_int64(statement, parameter, number);
}

void Bind(sqlite3_stmt* statement, int parameter, absl::Time time) {
  sqlite3_bind_int64(statement, parameter, StoredTime(time));
}

void Bind(sqlite3_stmt* statement, int parameter, const Blob& blob) {
  const char* const data = blob.bytes.empty() ? "" : blob.bytes.data();
  sqlite3_bind_blob64(statement, parameter, data, blob.bytes.size(), SQLITE_TRANSIENT);
}

void Bind(sqlite3_stmt* statement, int parameter, const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += word + '\n';
  Bind(statement, parameter, std::string_view(text));
}

void Get(sqlite3_stmt* statement, int column, std::string& text) {
  const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement, column));
  const int size = sqlite3_column_bytes(statement, column);
  text.assign(data == nullptr ? "" : data, static_cast<std::size_t>(size));
}

void Get(sqlite3_stmt* statement, int column, std::int64_t& number) {
  number = sqlite3_column_int64(statement, column);
}

void Get(sqlite3_stmt* statement, int column, absl::Time& time) {
  time = TimeOf(sqlite3_column_int64(statement, column));
}

void Get(sqlite3_stmt* statement, int column, std::vector<std::string>& words) {
  std::string text;
  Get(statement, column, text);
  words.clear();
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos;
       begin = end + 1)
    words.push_back(text.substr(begin, end - begin));
}

absl::StatusOr<bool> Statement::Step() {
  if (!status_.ok()) return status_;
  column_ = 0;
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  status_ = db_.StatusOf(code, sql_.substr(0, 60));
  return status_;
}

}  // namespace trove::sqlite
