#include "services/gateway/gateway.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "services/gateway/codec/decode.h"
#include "services/gateway/codec/encode.h"
#include "services/gateway/codec/json_body.h"
#include "services/gateway/faults.h"

namespace trove::gateway {
namespace {

constexpr char kRequestIdHeader[] = "X-Openstack-Request-Id";

std::string OriginOf(const HttpRequest& http) {
  const std::string* host = http.Find("Host");
  return host != nullptr && !host->empty() ? *host : http.local_address;
}

// What may stand behind `authorization: Bearer `.
bool IsToken(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// The token of X-Auth-Token, else of `Authorization: Bearer …`.
absl::StatusOr<Secret> TokenOf(const HttpRequest& http) {
  std::string_view token;
  if (const std::string* header = http.Find("X-Auth-Token")) {
    token = *header;
  } else if (const std::string* authorization = http.Find("Authorization")) {
    constexpr std::string_view kBearer = "Bearer ";
    token = *authorization;
    token = token.substr(0, kBearer.size()) == kBearer ? token.substr(kBearer.size()) : "";
  }
  if (!IsToken(token)) {
    return MakeError(Reason::kUnauthenticated,
                     "This request needs a token: put one into the header X-Auth-Token");
  }
  return Secret(std::string(token));
}

// The media type alone, in lower case.
std::string MediaType(const std::string& content_type) {
  std::string type = content_type.substr(0, content_type.find(';'));
  type.erase(type.find_last_not_of(" \t") + 1);
  std::transform(type.begin(), type.end(), type.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  return type;
}

// The body's object. A body without a Content-Type counts as none, as in Trove.
absl::StatusOr<boost::json::object> BodyOf(const HttpRequest& http, bool needed) {
  const std::string* type = http.Find("Content-Type");
  if (http.body.empty() || type == nullptr) {
    if (!needed) return boost::json::object();
    return MakeError(Reason::kInvalidBody,
                     http.body.empty()
                         ? "This request needs a JSON body"
                         : "The body was not read: say Content-Type: application/json");
  }
  const std::string media = MediaType(*type);
  if (media != "application/json" && media != "application/vnd.openstack.trove+json") {
    return MakeError(Reason::kUnsupportedMediaType,
                     "The body must be application/json, not " + media.substr(0, 64));
  }
  return ParseBody(http.body);
}

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
  Exchange(Gateway& gateway, HttpRequest http, Responder respond)
      : gateway_(gateway),
        http_(std::move(http)),
        respond_(std::move(respond)),
        began_(absl::Now()) {
    caller_.call = CallFor(
        gateway.options_.request_timeout, gateway.stopping_.get_token(), "req-" + NewUuid());
    asked_.links.host = OriginOf(http_);
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
    const Endpoint& endpoint = gateway_.endpoints_.find(route_->rpc->full_name())->second;
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

 private:
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
    asked_.view = route->binding.view();
    route_ = route;
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
    response.status = route_->binding.success() == 0 ? 200 : route_->binding.success();
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

  void Fail(const absl::Status& status) {
    HttpResponse response =
        FaultResponse(Tellable(status), asked_.scheme + "://" + asked_.links.host);
    if (response.status >= 500 && response.status != 501) {
      gateway_.log_.Warning("request failed",
                            {{"request_id", caller_.call.request_id},
                             {"method", http_.method},
                             {"rpc", route_ == nullptr ? "" : route_->rpc->full_name()},
                             {"status", response.status},
                             {"error", status}});
    }
    Send(std::move(response));
  }

  void Send(HttpResponse response) {
    response.headers.emplace_back(kRequestIdHeader, caller_.call.request_id);
    gateway_.log_.Debug("request",
                        {{"request_id", caller_.call.request_id},
                         {"method", http_.method},
                         {"path", asked_.target.path},
                         {"peer", http_.peer},
                         {"status", response.status},
                         {"ms", absl::ToDoubleMilliseconds(absl::Now() - began_)}});
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
  for (const std::unique_ptr<Route>& route : gateway->router_->routes()) {
    const auto found = gateway->endpoints_.find(route->rpc->full_name());
    if (found == gateway->endpoints_.end() ||
        found->second.request->GetDescriptor() != route->rpc->input_type()) {
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
  const Reason reason = status == 413   ? Reason::kBodyTooLarge
                        : status == 503 ? Reason::kOverloaded
                                        : Reason::kInvalidBody;
  HttpResponse response = FaultResponse(MakeError(reason, why));
  response.headers.emplace_back(kRequestIdHeader, "req-" + NewUuid());
  return response;
}

}  // namespace trove::gateway
