#include "services/gateway/views/audit.h"

#include <algorithm>
#include <cstdint>

namespace trove::gateway {

absl::StatusOr<v1::ListAuditRecordsRequest> ToListAuditRecords(
    const rest::v1::ListAuditRecordsRequest& document, const Asked&) {
  constexpr std::int64_t kPageSize = 20;
  constexpr std::int64_t kMaxPageSize = 100;
  v1::ListAuditRecordsRequest request;
  const std::int64_t limit = document.has_limit() ? document.limit() : kPageSize;
  request.set_page_size(static_cast<std::int32_t>(std::min(limit, kMaxPageSize)));
  request.set_page_token(document.marker());
  request.set_user(document.user());
  request.set_resource(document.resource());
  request.set_project_id(document.project());
  return request;
}

rest::v1::ListAuditRecordsResponse AuditRecordsView(const v1::ListAuditRecordsResponse& page,
                                                    const Asked& asked) {
  rest::v1::ListAuditRecordsResponse document;
  for (const v1::AuditRecord& from : page.records()) {
    rest::v1::AuditRecord* to = document.add_audit_records();
    to->set_id(from.id());
    *to->mutable_time() = from.time();
    to->set_project_id(from.project_id());
    to->set_user(from.user());
    *to->mutable_roles() = from.roles();
    to->set_peer(from.peer());
    to->set_action(from.action());
    to->set_resource(from.resource());
    to->set_request_id(from.request_id());
    to->set_outcome(from.outcome());
    to->set_message(from.message());
    to->set_operation_id(from.operation_id());
    to->set_operation_state(from.operation_state());
  }
  if (!page.next_page_token().empty()) {
    AddNextLink(asked.links,
                asked.target,
                page.next_page_token(),
                MarkerEncoding::kTwice,
                document.mutable_links());
  }
  return document;
}

}  // namespace trove::gateway
