#include <functional>
#include <optional>
#include <utility>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/client/client.h"
#include "libtrove/client/client_rep.h"
#include "libtrove/model/errors.h"
#include "libtrove/rpc/status.h"

namespace trove::client {
namespace {

constexpr int kPageSize = 100;
constexpr BackoffPolicy kRewatch = {absl::Milliseconds(100), absl::Seconds(2)};

int PageOf(std::size_t most, std::size_t have) {
  return most == 0 || most - have > kPageSize ? kPageSize : static_cast<int>(most - have);
}

// Watches over one connection after the other. `watch` reads one stream to its end and returns its
// status, or that the whole is over (nothing).
absl::Status KeepWatching(const Call& call,
                          const Client::OnLost& on_lost,
                          const std::function<std::optional<absl::Status>(bool* heard)>& watch) {
  for (int losses = 0;; ++losses) {
    TROVE_RETURN_IF_ERROR(call.Check());
    bool heard = false;
    const std::optional<absl::Status> ended = watch(&heard);
    if (!ended) return absl::OkStatus();
    TROVE_RETURN_IF_ERROR(call.Check());
    // A service that stops ends its streams; it is back soon.
    if (!ended->ok() && !absl::IsUnavailable(*ended)) return *ended;
    if (heard) losses = 0;
    if (losses == 0 && on_lost && !ended->ok()) on_lost(*ended);
    if (!Pause(call, BackoffDelay(kRewatch, losses))) return call.Check();
  }
}

}  // namespace

bool HasEnded(const v1::Operation& operation) {
  return operation.state() == v1::Operation::STATE_SUCCEEDED ||
         operation.state() == v1::Operation::STATE_FAILED ||
         operation.state() == v1::Operation::STATE_CANCELLED;
}

absl::Status OutcomeOf(const v1::Operation& ended) {
  if (ended.state() == v1::Operation::STATE_SUCCEEDED) return absl::OkStatus();
  const bool cancelled = ended.state() == v1::Operation::STATE_CANCELLED;
  std::string text = ended.kind() + (cancelled ? " was cancelled" : " failed");
  if (!ended.error().empty()) text += ": " + ended.error();
  if (!ended.help().empty()) text += "; " + ended.help();
  return cancelled ? absl::CancelledError(text) : absl::AbortedError(text);
}

absl::StatusOr<v1::Operation> Client::GetOperation(const Call& call, const std::string& id) {
  v1::GetOperationRequest request;
  request.set_id(id);
  return rep_->Ask(*rep_->operations, &v1::OperationService::Stub::GetOperation, call, request);
}

absl::StatusOr<std::vector<v1::Operation>> Client::ListOperations(const Call& call,
                                                                  v1::ListOperationsRequest request,
                                                                  std::size_t most) {
  std::vector<v1::Operation> all;
  do {
    request.set_page_size(PageOf(most, all.size()));
    TROVE_ASSIGN_OR_RETURN(
        const v1::ListOperationsResponse page,
        rep_->Ask(*rep_->operations, &v1::OperationService::Stub::ListOperations, call, request));
    all.insert(all.end(), page.operations().begin(), page.operations().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && (most == 0 || all.size() < most));
  return all;
}

absl::StatusOr<v1::Operation> Client::CancelOperation(const Call& call,
                                                      const v1::CancelOperationRequest& request) {
  return rep_->Change(
      *rep_->operations, &v1::OperationService::Stub::CancelOperation, call, request);
}

absl::StatusOr<v1::Operation> Client::RetryOperation(const Call& call,
                                                     const v1::RetryOperationRequest& request) {
  return rep_->Change(
      *rep_->operations, &v1::OperationService::Stub::RetryOperation, call, request);
}

absl::StatusOr<v1::Operation> Client::WatchOperation(
    const Call& call,
    const std::string& id,
    const std::function<void(const v1::Operation&)>& on_change,
    const OnLost& on_lost) {
  v1::WatchOperationRequest request;
  request.set_id(id);
  v1::Operation last;
  last.set_version(-1);
  const auto watch = [&](bool* heard) -> std::optional<absl::Status> {
    rpc::OutgoingCall outgoing(call, rep_->extras);
    const auto reader = rep_->operations->WatchOperation(outgoing.context(), request);
    v1::Operation operation;
    while (reader->Read(&operation)) {
      *heard = true;
      if (operation.version() <= last.version()) continue;
      last = operation;
      if (on_change) on_change(operation);
    }
    const absl::Status status = rpc::FromGrpc(reader->Finish());
    if (HasEnded(last)) return std::nullopt;
    return status;
  };
  const absl::Status watched = KeepWatching(call, on_lost, watch);
  if (watched.ok()) return last;
  return absl::IsDeadlineExceeded(watched) ? watched : rep_->Explain(watched);
}

absl::StatusOr<v1::Operation> Client::Wait(const Call& call, const std::string& id) {
  return WatchOperation(call, id, {});
}

absl::StatusOr<v1::ListEventsResponse> Client::ListEvents(const Call& call,
                                                          const v1::ListEventsRequest& request) {
  return rep_->Ask(*rep_->events, &v1::EventService::Stub::ListEvents, call, request);
}

absl::Status Client::WatchEvents(const Call& call,
                                 v1::WatchEventsRequest request,
                                 const std::function<bool(const v1::Event&)>& on_event,
                                 const OnLost& on_lost) {
  if (!request.has_after_position()) {
    // Where "now" is must be known, or what happens before a first event and after a lost
    // connection would be missed.
    v1::ListEventsRequest where;
    where.set_subject(request.subject());
    where.set_all_projects(request.all_projects());
    where.set_page_size(1);
    TROVE_ASSIGN_OR_RETURN(const v1::ListEventsResponse page,
                           ListEvents(call.Within(absl::Seconds(30)), where));
    request.set_after_position(page.newest_position());
  }
  const auto watch = [&](bool* heard) -> std::optional<absl::Status> {
    rpc::OutgoingCall outgoing(call, rep_->extras);
    const auto reader = rep_->events->WatchEvents(outgoing.context(), request);
    v1::Event event;
    while (reader->Read(&event)) {
      *heard = true;
      if (event.position() <= request.after_position()) continue;
      request.set_after_position(event.position());
      if (on_event(event)) continue;
      outgoing.context()->TryCancel();
      reader->Finish();
      return std::nullopt;
    }
    return rpc::FromGrpc(reader->Finish());
  };
  const absl::Status watched = KeepWatching(call, on_lost, watch);
  if (watched.ok() || absl::IsDeadlineExceeded(watched)) return watched;
  return rep_->Explain(watched);
}

absl::StatusOr<std::vector<v1::AuditRecord>> Client::ListAudit(const Call& call,
                                                               v1::ListAuditRecordsRequest request,
                                                               std::size_t most) {
  std::vector<v1::AuditRecord> all;
  do {
    request.set_page_size(PageOf(most, all.size()));
    TROVE_ASSIGN_OR_RETURN(
        const v1::ListAuditRecordsResponse page,
        rep_->Ask(*rep_->audit, &v1::AuditService::Stub::ListAuditRecords, call, request));
    all.insert(all.end(), page.records().begin(), page.records().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && (most == 0 || all.size() < most));
  return all;
}

}  // namespace trove::client
