#include "test/unit/gateway/raw_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include <absl/time/clock.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

namespace trove::gateway {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return lower;
}

UniqueFd Connect(int port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected =
      ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  return connected ? std::move(fd) : UniqueFd();
}

}  // namespace

std::string RawResponse::Header(std::string_view name) const {
  const std::string wanted = "\r\n" + Lower(name) + ": ";
  const std::size_t at = Lower(header).find(wanted);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + wanted.size();
  return header.substr(begin, header.find("\r\n", begin) - begin);
}

RawClient::RawClient(int port) : socket_(Connect(port)) {}

bool RawClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool RawClient::Read(absl::Time deadline) {
  if (closed_) return false;
  pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  const auto left = absl::ToInt64Milliseconds(deadline - absl::Now());
  if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) <= 0) return false;
  char bytes[16384];
  const ssize_t count = ::recv(socket_.get(), bytes, sizeof(bytes), 0);
  if (count <= 0) {
    closed_ = true;
    return false;
  }
  buffer_.append(bytes, static_cast<std::size_t>(count));
  return true;
}

RawResponse RawClient::Receive(Body body, absl::Duration within) {
  const absl::Time deadline = absl::Now() + within;
  RawResponse response;
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Read(deadline)) return response;
  }
  response.header = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  const std::string length = response.Header("Content-Length");
  const std::size_t size =
      length.empty() || body == Body::kNone ? 0 : std::strtoul(length.c_str(), nullptr, 10);
  while (buffer_.size() < size) {
    if (!Read(deadline)) return response;
  }
  response.body = buffer_.substr(0, size);
  buffer_.erase(0, size);
  response.status = std::atoi(response.header.substr(response.header.find(' ') + 1, 3).c_str());
  return response;
}

std::optional<std::string> RawClient::ReceiveChunk(absl::Duration within) {
  const absl::Time deadline = absl::Now() + within;
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!Read(deadline)) return std::nullopt;
  }
  const std::size_t size = std::strtoul(buffer_.c_str(), nullptr, 16);
  while (buffer_.size() < end + 2 + size + 2) {
    if (!Read(deadline)) return std::nullopt;
  }
  std::string chunk = buffer_.substr(end + 2, size);
  buffer_.erase(0, end + 2 + size + 2);
  if (size == 0) return std::nullopt;
  return chunk;
}

std::string RawClient::ReceiveAll(absl::Duration within) {
  const absl::Time deadline = absl::Now() + within;
  while (Read(deadline)) {
  }
  return closed_ ? std::exchange(buffer_, {}) : "";
}

std::optional<RawEvent> EventReader::Next(absl::Duration within) {
  std::size_t end = 0;
  while ((end = text_.find("\n\n")) == std::string::npos) {
    const std::optional<std::string> chunk = client_.ReceiveChunk(within);
    if (!chunk.has_value()) return std::nullopt;
    text_ += *chunk;
  }
  std::string_view lines = std::string_view(text_).substr(0, end + 1);
  RawEvent event;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(line.size() + 1);
    const auto value = [line](std::string_view name) -> std::optional<std::string> {
      const std::string begin = std::string(name) + ": ";
      if (line.substr(0, begin.size()) != begin) return std::nullopt;
      return std::string(line.substr(begin.size()));
    };
    if (const auto id = value("id")) {
      event.id = *id;
    } else if (const auto type = value("event")) {
      event.type = *type;
    } else if (const auto data = value("data")) {
      event.data += (event.data.empty() ? "" : "\n") + *data;
    } else {
      event.other.append(line);
    }
  }
  text_.erase(0, end + 2);
  return event;
}

bool RawClient::Closed(absl::Duration within) {
  const absl::Time deadline = absl::Now() + within;
  while (Read(deadline))
    buffer_.clear();
  return closed_;
}

RawResponse Exchange(int port, std::string_view request) {
  RawClient client(port);
  if (!client.connected()) return {};
  client.Send(request);
  return client.Receive();
}

std::string TlsExchange(int port, const std::string& authority_pem, std::string_view request) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> pem(
      BIO_new_mem_buf(authority_pem.data(), static_cast<int>(authority_pem.size())), BIO_free);
  const std::unique_ptr<X509, decltype(&X509_free)> authority(
      PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr), X509_free);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), authority.get());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);

  const UniqueFd socket = Connect(port);
  const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.get()), SSL_free);
  SSL_set_fd(tls.get(), socket.get());
  if (SSL_connect(tls.get()) != 1) return "";
  SSL_write(tls.get(), request.data(), static_cast<int>(request.size()));
  std::string answer;
  char bytes[4096];
  for (int count = 0; (count = SSL_read(tls.get(), bytes, sizeof(bytes))) > 0;)
    answer.append(bytes, static_cast<std::size_t>(count));
  return answer;
}

}  // namespace trove::gateway
