#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/message.h>

#include "libtrove/model/errors.h"
#include "services/gateway/api_client.h"
#include "services/gateway/asked.h"
#include "services/gateway/endpoints.h"
#include "services/gateway/views/field_errors.h"
#include "services/gateway/views/plans.h"

namespace trove::gateway {

/// `document` as what an Outcome takes.
template <typename Document>
std::shared_ptr<const google::protobuf::Message> Share(Document document) {
  return std::make_shared<const Document>(std::move(document));
}

/// Gives a request for the api what every one of its kind can have: the id by which a repetition is
/// known, and whether it is only meant to be planned. What is only planned leaves no trace.
template <typename Request>
void Adopt(const Asked& asked, Request* request) {
  if constexpr (requires { request->set_validate_only(true); }) {
    request->set_validate_only(asked.validate_only);
  }
  if constexpr (requires { request->set_request_id(asked.request_id); }) {
    if (!asked.validate_only) request->set_request_id(asked.request_id);
  }
}

/// The answer to what was only planned.
template <typename Response>
absl::StatusOr<std::shared_ptr<const google::protobuf::Message>> PlanOf(const Response& response) {
  if constexpr (requires { response.plan(); }) {
    if (response.has_plan()) return Share(PlanView(response.plan()));
  }
  return MakeError(Reason::kInternal, "The api gave no plan");
}

inline absl::Status AsItIs(const absl::Status& status) {
  return status;
}

/// The usual endpoint: document -> request, one call, response -> document.
template <typename Document,
          typename Answer,
          typename Stub,
          typename Owner,
          typename Request,
          typename Response>
Endpoint OneCall(ApiClient& api,
                 std::unique_ptr<Stub> ApiStubs::*stub,
                 void (Owner::*method)(grpc::ClientContext*,
                                       const Request*,
                                       Response*,
                                       std::function<void(grpc::Status)>),
                 absl::StatusOr<Request> (*to_api)(const Document&, const Asked&),
                 Answer (*to_view)(const Response&, const Asked&),
                 absl::Status (*to_error)(const absl::Status&) = AsItIs) {
  Endpoint endpoint;
  endpoint.request = &Document::default_instance();
  endpoint.serve = [=, &api](const google::protobuf::Message& document,
                             const Asked& asked,
                             const ApiCaller& caller,
                             Outcome outcome) {
    absl::StatusOr<Request> request = to_api(static_cast<const Document&>(document), asked);
    if (!request.ok()) return outcome(request.status(), {});
    Adopt(asked, &*request);
    CallApi(*(api.Next().*stub),
            method,
            caller,
            *std::move(request),
            [to_view, to_error, &asked, outcome = std::move(outcome)](
                absl::StatusOr<Response> response, ApiAnswer answer) {
              if (!response.ok()) return outcome(to_error(response.status()), answer);
              if (asked.validate_only) return outcome(PlanOf(*response), answer);
              outcome(Share(to_view(*response, asked)), answer);
            });
  };
  return endpoint;
}

/// An endpoint that watches: one call, which says whether the client may and whether there is
/// anything to watch, then a stream. Only the call has the request's deadline, so that a client
/// hears of a refusal before its answer has begun to go on.
template <typename Document,
          typename Stub,
          typename CheckOwner,
          typename CheckRequest,
          typename CheckResponse,
          typename WatchOwner,
          typename WatchRequest,
          typename Item>
Endpoint WatchCall(ApiClient& api,
                   std::unique_ptr<Stub> ApiStubs::*stub,
                   void (CheckOwner::*check)(grpc::ClientContext*,
                                             const CheckRequest*,
                                             CheckResponse*,
                                             std::function<void(grpc::Status)>),
                   absl::StatusOr<CheckRequest> (*to_check)(const Document&, const Asked&),
                   bool (*is_over)(const CheckResponse&, const Asked&),
                   void (WatchOwner::*watch)(grpc::ClientContext*,
                                             const WatchRequest*,
                                             grpc::ClientReadReactor<Item>*),
                   absl::StatusOr<WatchRequest> (*to_watch)(const Document&, const Asked&),
                   std::optional<SentEvent> (*to_event)(const Item&, const Asked&)) {
  Endpoint endpoint;
  endpoint.request = &Document::default_instance();
  endpoint.watch = [=, &api](const google::protobuf::Message& document,
                             const Asked& asked,
                             const ApiCaller& caller,
                             WatchOutcome outcome) {
    const auto& typed = static_cast<const Document&>(document);
    absl::StatusOr<CheckRequest> first = to_check(typed, asked);
    if (!first.ok()) return outcome(first.status(), {});
    absl::StatusOr<WatchRequest> then = to_watch(typed, asked);
    if (!then.ok()) return outcome(then.status(), {});
    CallApi(*(api.Next().*stub),
            check,
            caller,
            *std::move(first),
            [=, &api, &asked, then = *std::move(then), outcome = std::move(outcome)](
                absl::StatusOr<CheckResponse> response, ApiAnswer answer) {
              if (!response.ok()) return outcome(QueryError(response.status()), answer);
              if (is_over(*response, asked)) return outcome(BeginFeed(), answer);
              outcome(BeginFeed([=, &api, &asked](const ApiCaller& watcher, Feed feed) {
                        WatchApi(
                            *(api.Next().*stub),
                            watch,
                            watcher,
                            then,
                            [to_event, &asked, event = std::move(feed.event)](
                                const Item& item, const std::function<void()>& next) {
                              if (const auto sent = to_event(item, asked)) {
                                event(*sent, next);
                              } else {
                                next();
                              }
                            },
                            std::move(feed.end));
                      }),
                      answer);
            });
  };
  return endpoint;
}

}  // namespace trove::gateway
