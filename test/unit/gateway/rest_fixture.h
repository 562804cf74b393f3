#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>

#include "services/gateway/gateway.h"
#include "services/gateway/http_server.h"
#include "test/unit/gateway/fake_api.h"
#include "test/unit/gateway/raw_http.h"

namespace trove::gateway {

namespace json = boost::json;

/// The gateway before a fake api, both real on their sockets.
class Rest {
 public:
  explicit Rest(const GatewayOptions& options = {}, const HttpOptions& http = {})
      : client_(api_.Channels(2)) {
    auto gateway = Gateway::Make(client_, options, Log());
    REQUIRE(gateway.ok());
    gateway_ = *std::move(gateway);
    auto server = HttpServer::Start(
        http,
        [this](HttpRequest request, Responder respond) {
          gateway_->Handle(std::move(request), std::move(respond));
        },
        Gateway::Refuse);
    REQUIRE(server.ok());
    server_ = *std::move(server);
  }

  FakeApi& api() { return api_; }
  HttpServer& server() { return *server_; }
  int port() const { return server_->port(); }

  RawResponse Raw(const std::string& line, const std::string& headers, const std::string& body) {
    return Exchange(port(),
                    line + " HTTP/1.1\r\nHost: trove.example:8779\r\n" + headers +
                        "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  /// With a token, and JSON when there is a body.
  RawResponse As(const std::string& token, const std::string& line, const std::string& body = "") {
    return Raw(line,
               "X-Auth-Token: " + token + "\r\n" +
                   (body.empty() ? "" : "Content-Type: application/json\r\n"),
               body);
  }

  /// The same with another header, without its line break.
  RawResponse With(const std::string& header,
                   const std::string& line,
                   const std::string& body = "") {
    return Raw(
        line, "X-Auth-Token: member\r\nContent-Type: application/json\r\n" + header + "\r\n", body);
  }

  RawResponse operator()(const std::string& line, const std::string& body = "") {
    return As("member", line, body);
  }

  std::string Create(const std::string& name) {
    const RawResponse created = (*this)(
        "POST /v1.0/p/instances",
        R"({"instance": {"name": ")" + name + R"(", "flavorRef": 2, "volume": {"size": 1}}})");
    REQUIRE(created.status == 200);
    return std::string(json::parse(created.body).at("instance").at("id").as_string());
  }

 private:
  FakeApi api_;
  ApiClient client_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<HttpServer> server_;  // last: it calls the gateway
};

/// The text at `path` of a document ("instance", "links", "0").
inline std::string TextAt(json::value value, const std::vector<std::string>& path) {
  for (const std::string& step : path) {
    value = value.is_array() ? json::value(value.as_array().at(std::stoul(step)))
                             : json::value(value.at(step));
  }
  return std::string(value.as_string());
}

/// The keys of an object, in order.
inline std::vector<std::string> KeysOf(const json::value& value) {
  std::vector<std::string> keys;
  for (const auto& member : value.as_object())
    keys.emplace_back(member.key().data(), member.key().size());
  return keys;
}

}  // namespace trove::gateway
