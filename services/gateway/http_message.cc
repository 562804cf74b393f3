#include "services/gateway/http_message.h"

#include <algorithm>

#include "libtrove/base/check.h"

namespace trove::gateway {
namespace {

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return Lower(x) == Lower(y);
         });
}

const std::string* HttpRequest::Find(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (SameName(key, name)) return &value;
  }
  return nullptr;
}

Responder::Responder(std::function<void(HttpResponse)> send, Begin begin)
    : send_(std::move(send)), begin_(std::move(begin)) {}

Responder::~Responder() {
  if (send_ == nullptr) return;
  send_({.status = 500,
         .body = R"({"instanceFault":{"code":500,"message":"The request was dropped."}})"});
}

void Responder::operator()(HttpResponse response) {
  TROVE_CHECK(send_ != nullptr);
  // Whoever is called may destroy this object.
  const std::function<void(HttpResponse)> send = std::exchange(send_, nullptr);
  send(std::move(response));
}

std::shared_ptr<BodyStream> Responder::Stream(HttpResponse head, StreamOptions options) {
  TROVE_CHECK(send_ != nullptr);
  if (begin_ == nullptr) return nullptr;
  std::shared_ptr<BodyStream> stream = begin_(std::move(head), std::move(options));
  if (stream != nullptr) send_ = nullptr;
  return stream;
}

}  // namespace trove::gateway
