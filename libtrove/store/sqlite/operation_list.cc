#include "libtrove/store/sqlite/operation_list.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/rows.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

constexpr char kTokenMark = 'o';

// Rows are in the order of their acceptance, so that a row is a place in the list.
std::string TokenOf(std::int64_t row) {
  std::array<char, 17> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), row, 36).ptr;
  return kTokenMark + std::string(digits.begin(), end);
}

absl::StatusOr<std::int64_t> RowOf(const std::string& token) {
  if (token.empty()) return std::numeric_limits<std::int64_t>::max();
  std::int64_t row = 0;
  const char* const end = token.data() + token.size();
  const auto read = std::from_chars(token.data() + 1, end, row, 36);
  if (token.front() == kTokenMark && read.ec == std::errc() && read.ptr == end && row > 0)
    return row;
  return FieldError("page_token", "is none that a page of this list gave");
}

int MaskOf(const std::vector<OperationState>& states) {
  int mask = 0;
  for (const OperationState state : states)
    mask |= 1 << static_cast<int>(state);
  return mask;
}

constexpr int kOpen = 0b0001'1110;     // states below 5
constexpr int kStopped = 0b1100'0000;  // FAILED, CANCELLED

std::string Sql(const std::string& index, const std::string& scope) {
  return std::string("SELECT o.rowid, ") + kOperationColumns + " FROM operations o " + index +
         " WHERE o.rowid < ?1 AND (?4 = '' OR o.kind = ?4) AND (?5 = 0 OR (?5 >> o.state) & 1)" +
         scope + " ORDER BY o.rowid DESC LIMIT ?2";
}

std::string TextOf(const std::vector<Operation>& operations) {
  std::string text = "[";
  for (const Operation& operation : operations)
    text += (text.size() > 1 ? ",\"" : "\"") + operation.id.value() + '"';
  return text + "]";
}

absl::Status AddSteps(Transaction& tx, std::vector<Operation>& operations) {
  std::map<OperationId, Operation*> by_id;
  for (Operation& operation : operations)
    by_id.emplace(operation.id, &operation);
  Statement row(tx.db, ListStepsSql(), TextOf(operations));
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return absl::OkStatus();
    OperationId id;
    StepRecord step;
    row.Read(id);
    Read(row, step);
    by_id.at(id)->steps.push_back(std::move(step));
  }
}

}  // namespace

// What is asked for most has an index of its own: an instance's, a project's, everybody's, and of
// the last two those that have not ended and those that did not succeed.
const std::string& ListOperationsSql(const OperationFilter& filter) {
  static const std::string kInstance =
      Sql("INDEXED BY operations_instance",
          " AND o.instance_id = ?6 AND (?3 IS NULL OR +o.project_id = ?3)");
  static const std::string kProject =
      Sql("INDEXED BY operations_project", " AND o.project_id = ?3");
  static const std::string kProjectOpen =
      Sql("INDEXED BY operations_open", " AND o.project_id = ?3 AND o.finished_at IS NULL");
  static const std::string kProjectStopped =
      Sql("INDEXED BY operations_stopped", " AND o.project_id = ?3 AND o.state > 5");
  static const std::string kAll = Sql("NOT INDEXED", "");
  static const std::string kAllOpen =
      Sql("INDEXED BY operations_all_open",
          " AND (o.finished_at IS NULL) = 1 AND o.finished_at IS NULL");
  static const std::string kAllStopped =
      Sql("INDEXED BY operations_all_stopped", " AND (o.state > 5) = 1 AND o.state > 5");
  if (filter.instance) return kInstance;
  const int mask = MaskOf(filter.states);
  if (mask != 0 && (mask & ~kOpen) == 0) return filter.project ? kProjectOpen : kAllOpen;
  if (mask != 0 && (mask & ~kStopped) == 0) return filter.project ? kProjectStopped : kAllStopped;
  return filter.project ? kProject : kAll;
}

const std::string& ListStepsSql() {
  static const std::string kSql = std::string("SELECT s.operation_id, ") + kStepColumns +
                                  " FROM operation_steps s WHERE s.operation_id IN "
                                  "(SELECT value FROM json_each(?)) "
                                  "ORDER BY s.operation_id, s.position";
  return kSql;
}

absl::StatusOr<OperationPage> ListOperations(Transaction& tx,
                                             const OperationFilter& filter,
                                             const std::string& after,
                                             int limit) {
  TROVE_ASSIGN_OR_RETURN(std::int64_t place, RowOf(after));
  OperationPage page;
  {
    Statement row(tx.db,
                  ListOperationsSql(filter),
                  place,
                  limit + 1,
                  filter.project,
                  filter.kind,
                  MaskOf(filter.states),
                  filter.instance);
    while (true) {
      TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
      if (!more) break;
      if (static_cast<int>(page.operations.size()) == limit) {
        page.next = TokenOf(place);
        break;
      }
      row.Read(place);
      Read(row, page.operations.emplace_back());
    }
  }
  if (!page.operations.empty()) TROVE_RETURN_IF_ERROR(AddSteps(tx, page.operations));
  return page;
}

absl::StatusOr<StepDurations> GetStepDurations(Transaction& tx,
                                               const std::string& kind,
                                               const DatastoreId& datastore,
                                               int limit) {
  StepDurations durations;
  Statement row(tx.db,
                "SELECT o.place, s.name, s.started_at, s.finished_at FROM "
                "(SELECT rowid AS place, id FROM operations WHERE kind = ? AND datastore_id = ? "
                "AND state = 5 ORDER BY rowid DESC LIMIT ?) o "
                "LEFT JOIN operation_steps s ON s.operation_id = o.id "
                "ORDER BY o.place DESC, s.position",
                kind,
                datastore,
                limit);
  std::int64_t last = 0;
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return durations;
    std::int64_t place = 0;
    std::string name;
    std::optional<absl::Time> started;
    std::optional<absl::Time> finished;
    row.Read(place, name, started, finished);
    if (place != last) ++durations.operations;
    last = place;
    if (started && finished) durations.by_step[name].push_back(*finished - *started);
  }
}

}  // namespace trove::sqlite
