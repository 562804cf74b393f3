// Makes each commit of the embedded store two boundaries. The linker sends the product's calls of
// SQLite here (--wrap), so that the product has no hook and no commit is forgotten.

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <sqlite3.h>

#include "test/support/faults/boundaries.h"

namespace {

// Of the transaction that this thread has open: the first table that matters which it changed.
thread_local std::string changed;

// What belongs to workers, to delivery and to catalogues is written at any time, and is no step.
constexpr std::array<std::string_view, 11> kTables = {"operation_inputs",
                                                      "operation_steps",
                                                      "operation_locks",
                                                      "operation_signals",
                                                      "operations",
                                                      "instances",
                                                      "guests",
                                                      "volumes",
                                                      "endpoints",
                                                      "tombstones",
                                                      "quota_usages"};

std::string_view ChangedTable(std::string_view sql) {
  if (!sql.starts_with("INSERT") && !sql.starts_with("UPDATE") && !sql.starts_with("DELETE"))
    return {};
  std::size_t first = std::string_view::npos;
  std::string_view found;
  for (const std::string_view table : kTables) {
    const std::size_t at = sql.find(table);
    if (at < first) {
      first = at;
      found = table;
    }
  }
  // The table that is changed stands at the beginning; others may be read from.
  return first < 40 ? found : std::string_view();
}

// Runs `run`, which runs `sql`; a commit of something that matters is two boundaries.
template <typename F>
int AroundCommit(std::string_view sql, F run) {
  if (sql.starts_with("BEGIN")) changed.clear();
  if (!sql.starts_with("COMMIT")) return run();
  const std::string what = std::exchange(changed, {});
  if (!what.empty()) trove::faults::Reach("before commit of " + what);
  const int code = run();
  if (!what.empty()) trove::faults::Reach("after commit of " + what);
  return code;
}

}  // namespace

extern "C" {

int __real_sqlite3_step(sqlite3_stmt* statement);
int __real_sqlite3_exec(
    sqlite3* db, const char* sql, int (*row)(void*, int, char**, char**), void* self, char** error);

int __wrap_sqlite3_step(sqlite3_stmt* statement) {
  const char* const text = sqlite3_sql(statement);
  const std::string_view sql = text == nullptr ? "" : text;
  const int code = AroundCommit(sql, [&] { return __real_sqlite3_step(statement); });
  if (changed.empty() && (code == SQLITE_DONE || code == SQLITE_ROW) &&
      sqlite3_stmt_readonly(statement) == 0 && sqlite3_changes(sqlite3_db_handle(statement)) > 0)
    changed = ChangedTable(sql);
  return code;
}

int __wrap_sqlite3_exec(sqlite3* db,
                        const char* sql,
                        int (*row)(void*, int, char**, char**),
                        void* self,
                        char** error) {
  return AroundCommit(sql, [&] { return __real_sqlite3_exec(db, sql, row, self, error); });
}

}  // extern "C"
