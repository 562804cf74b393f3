#include "services/gateway/gateway.h"

#include <functional>
#include <optional>
#include <stop_token>
#include <utility>

#include "trove/rest/v1/operation.pb.h"

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "services/gateway/client_address.h"
#include "services/gateway/codec/decode.h"
#include "services/gateway/codec/encode.h"
#include "services/gateway/codec/json_text.h"
#include "services/gateway/faults.h"
#include "services/gateway/request_parts.h"
#include "services/gateway/sent_event.h"

namespace trove::gateway {
namespace {

constexpr char kRequestIdHeader[] = "X-Openstack-Request-Id";

// What a client that watches is told to wait before it comes back: when something restarts, and
// when something is wrong.
constexpr int kComeBackSoonMs = 1000;
constexpr int kComeBackLaterMs = 10'000;

// What a client is told: our services' own words, and of what gRPC found on the way (addresses,
// TLS) only what to do about it.
absl::Status Tellable(const absl::Status& status) {
  if (status.GetPayload(kErrorDetailUrl)) return status;
  if (absl::IsDeadlineExceeded(status)) {
    return MakeError(Reason::kTimedOut, "The request took too long; ask again");
  }
  if (ReasonOf(status).rest_status >= 500) {
    return MakeError(Reason::kUnavailable, "The service is not available; try again later");
  }
  return status;
}

bool IsShortVersionPath(const std::vector<std::string>& segments) {
  return !segments.empty() && segments.front() == "v1.0" && segments.size() <= 2;
}

}  // namespace

// One request on its way.
class Gateway::Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  // Of an answer that goes on.
  struct Watching {
    std::shared_ptr<BodyStream> stream;
    std::stop_source stop;  // set when the stream has ended
    bool admin = false;
  };

  Exchange(Gateway& gateway, HttpRequest http, Responder respond)
      : gateway_(gateway),
        http_(std::move(http)),
        respond_(std::move(respond)),
        began_(absl::Now()) {
    caller_.call = CallFor(
        gateway.options_.request_timeout, gateway.stopping_.get_token(), "req-" + NewUuid());
    caller_.address = ClientAddress(gateway.options_.trusted_proxies, http_);
    asked_.links.host = HostOf(http_);
    asked_.scheme = http_.over_tls ? "https" : "http";
    asked_.region = gateway.options_.region;
    const MutexLock lock(gateway_.mutex_);
    ++gateway_.under_way_;
  }

  ~Exchange() {
    const MutexLock lock(gateway_.mutex_);
    --gateway_.under_way_;
    gateway_.ended_.NotifyAll();
  }

  void Run() {
    if (absl::Status prepared = Prepare(); !prepared.ok()) return Fail(prepared);
    if (route_ == nullptr) return RefuseShortPath();
    const rest::v1::Access access = route_->binding.access();
    if (access == rest::v1::ACCESS_ADMIN || access == rest::v1::ACCESS_MANAGEMENT) {
      return RequireAdmin();
    }
    Serve();
  }

 private:
  void Serve() {
    const Endpoint& endpoint = gateway_.endpoints_.find(route_->rpc->full_name())->second;
    if (endpoint.watch) {
      endpoint.watch(*document_,
                     asked_,
                     caller_,
                     [self = shared_from_this()](absl::StatusOr<BeginFeed> begin, ApiAnswer about) {
                       if (!begin.ok()) return self->Fail(begin.status());
                       if (*begin == nullptr) return self->Send({.status = 204});
                       self->Watch(*begin, about);
                     });
      return;
    }
    endpoint.serve(*document_,
                   asked_,
                   caller_,
                   [self = shared_from_this()](
                       absl::StatusOr<std::shared_ptr<const google::protobuf::Message>> answer,
                       ApiAnswer about) {
                     if (!answer.ok()) return self->Fail(answer.status());
                     self->Succeed(**answer, about);
                   });
  }

  // Some routes are for admins although their rpcs are not.
  void RequireAdmin() {
    CallApi(
        *gateway_.api_.Next().limits,
        &v1::LimitsService::Stub::async::GetLimits,
        caller_,
        {},
        [self = shared_from_this()](const absl::StatusOr<v1::Limits>& limits, ApiAnswer about) {
          if (!limits.ok()) return self->Fail(limits.status());
          if (!about.admin) {
            const bool management = self->route_->binding.access() == rest::v1::ACCESS_MANAGEMENT;
            return self->Fail(MakeError(management ? Reason::kAdminOnly : Reason::kPermissionDenied,
                                        "This takes the role admin"));
          }
          self->Serve();
        });
  }

  // Everything up to the call. Leaves route_ null for a path that is too short to be one.
  absl::Status Prepare() {
    TROVE_ASSIGN_OR_RETURN(asked_.target, ParseTarget(http_.target));
    const std::vector<std::string>& segments = asked_.target.segments;
    absl::StatusOr<Match> match = gateway_.router_->Find(http_.method, segments);
    const bool open =
        match.ok() && match->routes.front()->binding.access() == rest::v1::ACCESS_PUBLIC;
    if (!open) {
      TROVE_ASSIGN_OR_RETURN(caller_.token, TokenOf(http_));
    }
    if (IsShortVersionPath(segments)) {
      if (segments.size() == 2) caller_.project_id = segments[1];
      return absl::OkStatus();
    }
    if (!match.ok()) return match.status();
    for (const auto& [name, value] : match->parameters) {
      if (name == "project_id") caller_.project_id = asked_.links.project_id = value;
    }
    return Decode(*match);
  }

  absl::Status Decode(const Match& match) {
    const Route* route = match.routes.front();
    boost::json::object body;
    const MessagePlan& first = gateway_.plans_.Of(route->rpc->input_type());
    if (!first.body.empty()) {
      TROVE_ASSIGN_OR_RETURN(body, BodyOf(http_, match.ByAction() || first.NeedsBody()));
    }
    if (match.ByAction()) {
      TROVE_ASSIGN_OR_RETURN(route, ChooseAction(match, body));
    }
    document_.reset(gateway_.endpoints_.find(route->rpc->full_name())->second.request->New());
    TROVE_RETURN_IF_ERROR(DecodePath(gateway_.plans_, match.parameters, document_.get()));
    TROVE_RETURN_IF_ERROR(
        DecodeQuery(gateway_.plans_, asked_.target.query, document_.get(), &asked_.presence));
    TROVE_RETURN_IF_ERROR(DecodeBody(gateway_.plans_, body, document_.get(), &asked_.presence));
    if (route->binding.method() != "GET") {
      TROVE_RETURN_IF_ERROR(DecodeChange(*route));
    }
    if (const std::string* id = http_.Find("Last-Event-ID")) asked_.last_event_id = *id;
    asked_.view = route->binding.view();
    route_ = route;
    return absl::OkStatus();
  }

  // What every request that would change something may say.
  absl::Status DecodeChange(const Route& route) {
    TROVE_ASSIGN_OR_RETURN(asked_.request_id, IdempotencyKeyOf(http_));
    TROVE_ASSIGN_OR_RETURN(asked_.validate_only, ValidateOnly(asked_.target.query));
    if (asked_.validate_only && !route.binding.plan()) {
      return MakeError(Reason::kInvalidField,
                       "Validation error: validate_only: what this request does has no plan");
    }
    return absl::OkStatus();
  }

  // Below /v1.0 and /v1.0/{project} is nothing that a token could be for. Whether this one is good
  // only the api can say.
  void RefuseShortPath() {
    CallApi(
        *gateway_.api_.Next().limits,
        &v1::LimitsService::Stub::async::GetLimits,
        caller_,
        {},
        [self = shared_from_this()](const absl::StatusOr<v1::Limits>& limits, ApiAnswer) {
          if (!limits.ok() && !absl::IsPermissionDenied(limits.status())) {
            return self->Fail(limits.status());
          }
          self->Fail(MakeError(Reason::kProjectMismatch,
                               "This path names no resource of a project: use /v1.0/{project}/…"));
        });
  }

  void Succeed(const google::protobuf::Message& document, const ApiAnswer& about) {
    HttpResponse response;
    const int success = route_->binding.success();
    response.status = success == 0 || asked_.validate_only ? 200 : success;
    const MessagePlan& plan = gateway_.plans_.Of(document.GetDescriptor());
    if (route_->binding.plain_text()) {
      response.content_type = "text/plain; charset=UTF-8";
      response.body = document.GetReflection()->GetString(document, plan.fields.front().field);
    } else if (!plan.fields.empty()) {
      const Audience audience{.view = asked_.view, .admin = about.admin};
      EncodeDocument(gateway_.plans_, document, audience, &response.body);
    }
    Send(std::move(response));
  }

  // Begins an answer that goes on, and lets the api feed it.
  void Watch(const BeginFeed& begin, const ApiAnswer& about) {
    const auto watching = std::make_shared<Watching>();
    watching->admin = about.admin;
    StreamOptions options;
    options.heartbeat = ":\n\n";
    options.heartbeat_interval = gateway_.options_.heartbeat_interval;
    options.farewell = RetryField(kComeBackSoonMs);
    options.on_end = [stop = watching->stop]() mutable {
      stop.request_stop();
    };
    HttpResponse head;
    head.content_type = "text/event-stream";
    head.headers = {{kRequestIdHeader, caller_.call.request_id},
                    {"Cache-Control", "no-cache"},
                    {"X-Accel-Buffering", "no"}};
    watching->stream = respond_.Stream(std::move(head), std::move(options));
    if (watching->stream == nullptr) {
      return Fail(MakeError(Reason::kOverloaded,
                            "There are too many watches; try again later",
                            {.retry_after = absl::Seconds(5)}));
    }
    LogAnswer(200);
    if (http_.method == "HEAD") return watching->stream->Close();

    // The gateway's end is the watch's end too.
    on_stop_.emplace(gateway_.stopping_.get_token(),
                     [stop = watching->stop]() mutable { stop.request_stop(); });
    ApiCaller watcher = caller_;
    watcher.call.deadline = absl::InfiniteFuture();
    watcher.call.stop = watching->stop.get_token();
    begin(watcher,
          {.event =
               [self = shared_from_this(), watching](const SentEvent& event,
                                                     std::function<void()> next) {
                 std::string data;
                 EncodeDocument(self->gateway_.plans_,
                                *event.document,
                                {.view = self->asked_.view, .admin = watching->admin},
                                &data);
                 watching->stream->Write(EventText(event.id, event.type, data));
                 watching->stream->WhenWritable(std::move(next));
               },
           .end =
               [self = shared_from_this(), watching](const absl::Status& status) {
                 self->EndWatch(*watching, status);
               }});
  }

  void EndWatch(const Watching& watching, const absl::Status& status) {
    if (!status.ok() && !watching.stop.stop_requested()) {
      // The api's end is no fault of the watch: it goes on from the last event, somewhere else.
      if (!absl::IsUnavailable(status) && !absl::IsCancelled(status)) {
        LogFailure(status, FaultResponse(Tellable(status)).status);
        watching.stream->Write(EventText("", "fault", FaultResponse(Tellable(status)).body));
      }
      watching.stream->Write(
          RetryField(absl::IsUnavailable(status) ? kComeBackSoonMs : kComeBackLaterMs));
    }
    watching.stream->Close();
    gateway_.log_.Debug("watch ended",
                        {{"request_id", caller_.call.request_id},
                         {"path", asked_.target.path},
                         {"status", status},
                         {"ms", absl::ToDoubleMilliseconds(absl::Now() - began_)}});
  }

  void Fail(const absl::Status& status) {
    HttpResponse response =
        FaultResponse(Tellable(status), asked_.scheme + "://" + asked_.links.host);
    LogFailure(status, response.status);
    Send(std::move(response));
  }

  void LogFailure(const absl::Status& status, int http_status) {
    if (http_status < 500 || http_status == 501) return;
    gateway_.log_.Warning("request failed",
                          {{"request_id", caller_.call.request_id},
                           {"method", http_.method},
                           {"rpc", route_ == nullptr ? "" : route_->rpc->full_name()},
                           {"status", http_status},
                           {"error", status}});
  }

  void LogAnswer(int status) {
    gateway_.log_.Debug("request",
                        {{"request_id", caller_.call.request_id},
                         {"method", http_.method},
                         {"path", asked_.target.path},
                         {"client", caller_.address},
                         {"status", status},
                         {"ms", absl::ToDoubleMilliseconds(absl::Now() - began_)}});
  }

  void Send(HttpResponse response) {
    response.headers.emplace_back(kRequestIdHeader, caller_.call.request_id);
    LogAnswer(response.status);
    respond_(std::move(response));
  }

  Gateway& gateway_;
  const HttpRequest http_;
  Responder respond_;
  const absl::Time began_;
  Asked asked_;
  ApiCaller caller_;
  const Route* route_ = nullptr;
  std::unique_ptr<google::protobuf::Message> document_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;  // of an answer that goes on
};

Gateway::Gateway(ApiClient& api, GatewayOptions options, Log log)
    : api_(api),
      options_(std::move(options)),
      log_(std::move(log)),
      endpoints_(MakeEndpoints(api)) {}

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Make(ApiClient& api,
                                                       const GatewayOptions& options,
                                                       Log log) {
  std::unique_ptr<Gateway> gateway(new Gateway(api, options, std::move(log)));
  TROVE_ASSIGN_OR_RETURN(gateway->router_, Router::Make(BoundServices(), &gateway->plans_));
  TROVE_RETURN_IF_ERROR(gateway->plans_.Add(rest::v1::ShowPlanResponse::descriptor()));
  for (const std::unique_ptr<Route>& route : gateway->router_->routes()) {
    const auto found = gateway->endpoints_.find(route->rpc->full_name());
    if (found == gateway->endpoints_.end() ||
        found->second.request->GetDescriptor() != route->rpc->input_type() ||
        (found->second.watch != nullptr) != route->rpc->server_streaming()) {
      return absl::InvalidArgumentError(route->rpc->full_name() + ": nothing carries it out");
    }
  }
  return gateway;
}

Gateway::~Gateway() {
  stopping_.request_stop();
  const MutexLock lock(mutex_);
  ended_.WaitUntil(
      mutex_, absl::InfiniteFuture(), [this]() TROVE_REQUIRES(mutex_) { return under_way_ == 0; });
}

void Gateway::Handle(HttpRequest http, Responder respond) {
  std::make_shared<Exchange>(*this, std::move(http), std::move(respond))->Run();
}

HttpResponse Gateway::Refuse(int status, const std::string& why) {
  HttpResponse response;
  if (status == 431) {  // nothing behind this server knows of it
    response.status = status;
    response.body = R"({"requestHeaderFieldsTooLarge":{"code":431,"message":)";
    AppendJsonString(&response.body, why);
    response.body += "}}";
  } else {
    const Reason reason = status == 413   ? Reason::kBodyTooLarge
                          : status == 503 ? Reason::kOverloaded
                                          : Reason::kInvalidBody;
    response = FaultResponse(MakeError(reason, why));
  }
  response.headers.emplace_back(kRequestIdHeader, "req-" + NewUuid());
  return response;
}

}  // namespace trove::gateway
