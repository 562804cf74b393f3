#include "services/gateway/views/operations.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "services/gateway/codec/text_rules.h"
#include "services/gateway/last_event_id.h"

namespace trove::gateway {
namespace {

constexpr std::int64_t kPageSize = 20;  // by default and at most

// "RUNNING" of STATE_RUNNING.
template <typename State>
std::string StateName(const std::string& (*name)(State), State state) {
  constexpr std::string_view kPrefix = "STATE_";
  return name(state).substr(kPrefix.size());
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  });
  return upper;
}

absl::Status AddStates(std::string_view list, v1::ListOperationsRequest* request) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    v1::Operation::State state = v1::Operation::STATE_UNSPECIFIED;
    if (!v1::Operation::State_Parse("STATE_" + Upper(word), &state) ||
        state == v1::Operation::STATE_UNSPECIFIED) {
      return MakeError(
          Reason::kInvalidField,
          "Validation error: state " + Quote(word) +
              " is none of pending, running, waiting, cancelling, succeeded, failed, cancelled");
    }
    request->add_states(state);
  }
  return absl::OkStatus();
}

void Fill(const v1::Operation& from, const Asked& asked, rest::v1::Operation* to) {
  constexpr std::string_view kInstances = "instances/";
  to->set_id(from.id());
  to->set_project_id(from.project_id());
  to->set_kind(from.kind());
  to->set_state(StateName(v1::Operation::State_Name, from.state()));
  to->set_resource(from.resource());
  if (std::string_view(from.resource()).substr(0, kInstances.size()) == kInstances) {
    to->set_instance_id(from.resource().substr(kInstances.size()));
  }
  to->set_reason(from.reason());
  if (from.has_waiting_since()) *to->mutable_waiting_since() = from.waiting_since();
  to->set_error(from.error());
  to->set_help(from.help());
  if (from.current_step() >= 0 && from.current_step() < from.steps_size()) {
    to->set_step(from.steps(from.current_step()).name());
  }
  for (const v1::Operation::Step& step : from.steps()) {
    rest::v1::OperationStep* added = to->add_steps();
    added->set_name(step.name());
    added->set_title(step.title());
    added->set_state(StateName(v1::Operation::Step::State_Name, step.state()));
    added->set_attempts(step.attempts());
    if (step.has_started_at()) *added->mutable_started() = step.started_at();
    if (step.has_finished_at()) *added->mutable_finished() = step.finished_at();
    added->set_last_error(step.last_error());
  }
  to->set_cancellable(from.cancellable());
  to->set_cancel_requested(from.cancel_requested());
  to->set_retries(from.retries());
  to->set_requested_by(from.requested_by());
  *to->mutable_created() = from.created_at();
  *to->mutable_updated() = from.updated_at();
  if (from.has_finished_at()) *to->mutable_finished() = from.finished_at();
  if (from.has_due_at()) *to->mutable_due() = from.due_at();
  if (from.has_deadline()) *to->mutable_deadline() = from.deadline();
  to->set_version(from.version());
  AddLinks(asked.links, "operations", from.id(), to->mutable_links());
}

bool HasEnded(const v1::Operation& operation) {
  return operation.state() == v1::Operation::STATE_SUCCEEDED ||
         operation.state() == v1::Operation::STATE_FAILED ||
         operation.state() == v1::Operation::STATE_CANCELLED;
}

bool HasSeen(const v1::Operation& operation, const Asked& asked) {
  const auto seen = LastEventId(asked);
  return seen.ok() && seen->has_value() && **seen >= operation.version();
}

}  // namespace

absl::StatusOr<v1::ListOperationsRequest> ToListOperations(
    const rest::v1::ListOperationsRequest& document, const Asked&) {
  v1::ListOperationsRequest request;
  const std::int64_t limit = document.has_limit() ? document.limit() : kPageSize;
  request.set_page_size(static_cast<std::int32_t>(std::min(limit, kPageSize)));
  request.set_page_token(document.marker());
  request.set_instance_id(document.instance_id());
  request.set_kind(document.kind());
  TROVE_RETURN_IF_ERROR(AddStates(document.state(), &request));
  request.set_all_projects(document.all_projects());
  return request;
}

absl::StatusOr<v1::GetOperationRequest> ToGetOperation(
    const rest::v1::ShowOperationRequest& document, const Asked& asked) {
  TROVE_RETURN_IF_ERROR(LastEventId(asked).status());
  v1::GetOperationRequest request;
  request.set_id(document.id());
  return request;
}

absl::StatusOr<v1::WatchOperationRequest> ToWatchOperation(
    const rest::v1::ShowOperationRequest& document, const Asked&) {
  v1::WatchOperationRequest request;
  request.set_id(document.id());
  return request;
}

absl::StatusOr<v1::CancelOperationRequest> ToCancelOperation(
    const rest::v1::CancelOperationRequest& document, const Asked&) {
  v1::CancelOperationRequest request;
  request.set_id(document.id());
  return request;
}

absl::StatusOr<v1::RetryOperationRequest> ToRetryOperation(
    const rest::v1::RetryOperationRequest& document, const Asked&) {
  v1::RetryOperationRequest request;
  request.set_id(document.id());
  return request;
}

rest::v1::ListOperationsResponse OperationsView(const v1::ListOperationsResponse& page,
                                                const Asked& asked) {
  rest::v1::ListOperationsResponse document;
  for (const v1::Operation& operation : page.operations())
    Fill(operation, asked, document.add_operations());
  if (!page.next_page_token().empty()) {
    AddNextLink(asked.links,
                asked.target,
                page.next_page_token(),
                MarkerEncoding::kTwice,
                document.mutable_links());
  }
  return document;
}

rest::v1::ShowOperationResponse OperationView(const v1::Operation& operation, const Asked& asked) {
  rest::v1::ShowOperationResponse document;
  Fill(operation, asked, document.mutable_operation());
  return document;
}

bool SeenToItsEnd(const v1::Operation& operation, const Asked& asked) {
  return HasEnded(operation) && HasSeen(operation, asked);
}

std::optional<SentEvent> OperationEvent(const v1::Operation& operation, const Asked& asked) {
  if (HasSeen(operation, asked)) return std::nullopt;
  return SentEvent{.id = std::to_string(operation.version()),
                   .type = "operation",
                   .document = std::make_shared<const rest::v1::ShowOperationResponse>(
                       OperationView(operation, asked))};
}

}  // namespace trove::gateway
