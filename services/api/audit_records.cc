#include "services/api/audit_records.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/validation.h"
#include "services/api/operation_view.h"
#include "services/api/times.h"

namespace trove::api {
namespace {

constexpr int kDefaultPageSize = 20;

absl::StatusOr<std::int64_t> ParseToken(const std::string& token) {
  std::int64_t before = 0;
  if (token.empty()) return before;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), before);
  if (error == std::errc() && end == token.data() + token.size() && before > 0) return before;
  return FieldError("page_token", "must be the next_page_token of the page before");
}

void FillRecord(const AuditEntry& entry, v1::AuditRecord* record) {
  record->set_id(entry.id);
  SetTime(entry.at, record->mutable_time());
  record->set_project_id(entry.project_id.value());
  record->set_user(entry.user);
  for (const std::string& role : entry.roles)
    record->add_roles(role);
  record->set_peer(entry.peer);
  record->set_action(entry.action);
  record->set_resource(entry.resource);
  record->set_request_id(entry.request_id);
  record->set_outcome(entry.outcome);
  record->set_message(entry.message);
  record->set_operation_id(entry.operation_id.value());
  if (entry.operation_state)
    record->set_operation_state(std::string(StateName(*entry.operation_state)));
}

}  // namespace

absl::Status AuditRecords::List(const Call& call,
                                const Caller&,
                                const v1::ListAuditRecordsRequest& request,
                                v1::ListAuditRecordsResponse* response) {
  TROVE_RETURN_IF_ERROR(CheckPageSize("page_size", request.page_size()));
  const int size = request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  TROVE_ASSIGN_OR_RETURN(const std::int64_t before, ParseToken(request.page_token()));
  AuditFilter filter{.project = {}, .user = request.user(), .resource = request.resource()};
  if (!request.project_id().empty()) {
    TROVE_RETURN_IF_ERROR(CheckProjectId("project_id", request.project_id()));
    filter.project = ProjectId(request.project_id());
  }
  TROVE_ASSIGN_OR_RETURN(const std::vector<AuditEntry> entries,
                         store_.ListAudit(call, filter, before, size));
  for (const AuditEntry& entry : entries)
    FillRecord(entry, response->add_records());
  if (entries.size() == static_cast<std::size_t>(size))
    response->set_next_page_token(std::to_string(entries.back().id));
  return absl::OkStatus();
}

}  // namespace trove::api
