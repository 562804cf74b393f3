#include "agents/mariadb/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <stop_token>
#include <utility>

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>

#include "libtrove/base/handle.h"

namespace trove::mariadb {
namespace {

using Result = Handle<MYSQL_RES, mysql_free_result>;

// The library's errors are the client's (2000 to 2999) and the server's (the rest).
absl::Status ErrorOf(MYSQL* mysql, std::string_view what) {
  const unsigned code = mysql_errno(mysql);
  std::string message = std::string(what) + ": " + mysql_error(mysql);
  switch (code) {
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case ER_SERVER_SHUTDOWN:
    case ER_CON_COUNT_ERROR:
      return absl::UnavailableError(message);
    case ER_ACCESS_DENIED_ERROR:
      return absl::PermissionDeniedError(message);
    case ER_UNKNOWN_CHARACTER_SET:
    case ER_UNKNOWN_COLLATION:
    case ER_COLLATION_CHARSET_MISMATCH:
      return absl::InvalidArgumentError(message);
    default:
      return absl::InternalError(message);
  }
}

}  // namespace

struct Connection::Rep {
  Handle<MYSQL, mysql_close> mysql;
  std::stop_token stop;
};

Connection::Connection(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Connection::~Connection() = default;

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const Call& call,
                                                             const std::string& socket,
                                                             const std::string& user,
                                                             const Secret& password) {
  if (absl::Status early = call.Check(); !early.ok()) return early;
  auto rep = std::make_unique<Rep>();
  rep->mysql.reset(mysql_init(nullptr));
  if (rep->mysql == nullptr) return absl::ResourceExhaustedError("no memory for a connection");
  rep->stop = call.stop;
  MYSQL* mysql = rep->mysql.get();
  const auto seconds = static_cast<unsigned>(
      std::clamp<std::int64_t>(absl::ToInt64Seconds(call.Remaining()), 1, 60));
  // Nobody can end this wait, so it is short: who needs longer asks again.
  const unsigned greeting_seconds = std::min(seconds, 3U);
  mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &greeting_seconds);
  mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &seconds);
  mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
  mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  if (mysql_real_connect(
          mysql, nullptr, user.c_str(), password.Reveal().c_str(), nullptr, 0, socket.c_str(), 0) ==
      nullptr) {
    return ErrorOf(mysql, "connect to the server");
  }
  return std::unique_ptr<Connection>(new Connection(std::move(rep)));
}

absl::StatusOr<std::vector<std::vector<std::string>>> Connection::Query(std::string_view sql) {
  MYSQL* mysql = rep_->mysql.get();
  if (rep_->stop.stop_requested()) return absl::CancelledError("the caller has gone");
  // A statement that nobody wants any more loses its connection.
  const std::stop_callback on_stop(
      rep_->stop, [socket = mysql_get_socket(mysql)] { ::shutdown(socket, SHUT_RDWR); });
  // The statement itself is not in the message: it may hold a password.
  if (mysql_real_query(mysql, sql.data(), sql.size()) != 0) return ErrorOf(mysql, "the server");
  std::vector<std::vector<std::string>> rows;
  const Result result(mysql_store_result(mysql));
  if (result == nullptr) {
    if (mysql_field_count(mysql) != 0) return ErrorOf(mysql, "read the answer");
    return rows;
  }
  const unsigned columns = mysql_num_fields(result.get());
  while (MYSQL_ROW row = mysql_fetch_row(result.get())) {
    const unsigned long* lengths = mysql_fetch_lengths(result.get());
    std::vector<std::string>& texts = rows.emplace_back();
    for (unsigned i = 0; i < columns; ++i) {
      texts.emplace_back(row[i] == nullptr ? "" : std::string(row[i], lengths[i]));
    }
  }
  return rows;
}

std::string Connection::Quoted(std::string_view text) {
  std::string escaped(text.size() * 2 + 1, '\0');
  escaped.resize(mysql_real_escape_string(
      rep_->mysql.get(), escaped.data(), text.data(), static_cast<unsigned long>(text.size())));
  return "'" + escaped + "'";
}

std::string Identifier(std::string_view name) {
  std::string quoted = "`";
  for (const char c : name) {
    quoted += c;
    if (c == '`') quoted += c;
  }
  return quoted + "`";
}

}  // namespace trove::mariadb
