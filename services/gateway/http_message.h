#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trove::gateway {

/// Names and values of HTTP headers, in order.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// What a client sent. The body is whole.
struct HttpRequest {
  std::string method;
  std::string target;  ///< as on the request line, undecoded
  Headers headers;
  std::string body;
  std::string peer;           ///< the client's address, for the record
  bool over_tls = false;      ///< how it came
  std::string local_address;  ///< host:port that it came to

  /// The first header of that name, whatever its case; null when there is none.
  const std::string* Find(std::string_view name) const;
};

/// What the client gets. Content-Length, Date and Connection are the server's business.
struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  Headers headers;
  std::string body;
};

/// Takes the one answer to a request, on any thread. One that dies unused answers with 500, so that
/// no client waits for ever.
class Responder {
 public:
  explicit Responder(std::function<void(HttpResponse)> send);
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&&) noexcept = default;
  ~Responder();

  /// Sends the answer. Once.
  void operator()(HttpResponse response);

 private:
  std::function<void(HttpResponse)> send_;
};

}  // namespace trove::gateway
