#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/call.h"
#include "libtrove/base/secret.h"

namespace trove::mariadb {

/// A connection to the agent's own server over its private socket. One thread at a time. It is lost
/// when the stop of the call that opened it is requested.
class Connection {
 public:
  /// Errors: kUnavailable: the server does not answer (yet); kPermissionDenied: the password.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const Call& call,
                                                          const std::string& socket,
                                                          const std::string& user,
                                                          const Secret& password);
  ~Connection();

  /// One row after another, each column as text. Errors: kUnavailable: the connection is lost or
  /// the call's time is over; kCancelled; kInternal: the server refused, with its words.
  absl::StatusOr<std::vector<std::vector<std::string>>> Query(std::string_view sql);
  absl::Status Execute(std::string_view sql) { return Query(sql).status(); }

  /// `text` as it stands between single quotes.
  std::string Quoted(std::string_view text);

 private:
  struct Rep;
  explicit Connection(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

/// `name` as an identifier: `` `a``b` ``.
std::string Identifier(std::string_view name);

}  // namespace trove::mariadb
