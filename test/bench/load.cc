// Sends one GET over and over and times the answers:
//   trove-bench-load PORT CONNECTIONS SECONDS RATE TOKEN PATH...
// RATE 0: each connection asks again as soon as it is answered. Else that many requests a second in
// all, each timed from when it should have been sent, so that a stall counts for every request it
// delays. Paths are asked for in turn. Loopback, HTTP/1.1, a blocking thread for each connection.
// Prints JSON; anything but 200 ends it with an error.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using Steady = std::chrono::steady_clock;

struct Plan {
  int port = 0;
  int connections = 1;
  double seconds = 1;
  double rate = 0;
  std::vector<std::string> requests;
};

class Connection {
 public:
  explicit Connection(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
      throw std::runtime_error("cannot connect");
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Returns the length of the answer's body.
  std::size_t Ask(const std::string& request) {
    if (::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
      throw std::runtime_error("cannot send");
    std::size_t head = std::string::npos;
    while ((head = buffer_.find("\r\n\r\n")) == std::string::npos)
      Fill();
    if (buffer_.compare(0, 12, "HTTP/1.1 200") != 0)
      throw std::runtime_error("answered: " + buffer_.substr(0, 200));
    const char* found = ::strcasestr(buffer_.c_str(), "content-length:");
    if (found == nullptr || found > buffer_.c_str() + head)
      throw std::runtime_error("an answer without Content-Length");
    const std::size_t length = std::strtoul(found + 15, nullptr, 10);
    while (buffer_.size() < head + 4 + length)
      Fill();
    buffer_.erase(0, head + 4 + length);
    return length;
  }

 private:
  void Fill() {
    char chunk[65536];
    const ssize_t got = ::recv(socket_, chunk, sizeof(chunk), 0);
    if (got <= 0) throw std::runtime_error("the connection ended");
    buffer_.append(chunk, static_cast<std::size_t>(got));
  }

  int socket_;
  std::string buffer_;
};

struct Answers {
  std::vector<double> ms;
  std::size_t bytes = 0;
  std::string error;
};

void Ask(const Plan& plan, int number, Steady::time_point begin, Answers& answers) try {
  Connection connection(plan.port);
  const Steady::time_point end = begin + std::chrono::duration_cast<Steady::duration>(
                                             std::chrono::duration<double>(plan.seconds));
  std::this_thread::sleep_until(begin);
  for (std::size_t i = 0;; ++i) {
    Steady::time_point due = Steady::now();
    if (plan.rate > 0) {
      const double at = (static_cast<double>(i) * plan.connections + number) / plan.rate;
      due = begin + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(at));
      std::this_thread::sleep_until(due);
    }
    if (due >= end) return;
    const std::string& request =
        plan.requests[(i + static_cast<std::size_t>(number)) % plan.requests.size()];
    answers.bytes = connection.Ask(request);
    answers.ms.push_back(std::chrono::duration<double, std::milli>(Steady::now() - due).count());
  }
} catch (const std::runtime_error& error) {
  answers.error = error.what();
}

double Percentile(const std::vector<double>& sorted, double share) {
  return sorted[std::min(sorted.size() - 1,
                         static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr, "usage: trove-bench-load PORT CONNECTIONS SECONDS RATE TOKEN PATH...\n");
    return 2;
  }
  Plan plan;
  plan.port = std::atoi(argv[1]);
  plan.connections = std::atoi(argv[2]);
  plan.seconds = std::atof(argv[3]);
  plan.rate = std::atof(argv[4]);
  for (int i = 6; i < argc; ++i) {
    plan.requests.push_back(std::string("GET ") + argv[i] +
                            " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
                            "X-Auth-Token: " +
                            argv[5] + "\r\n\r\n");
  }
  std::vector<Answers> answers(static_cast<std::size_t>(plan.connections));
  const Steady::time_point begin = Steady::now() + std::chrono::milliseconds(50);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < plan.connections; ++i)
      threads.emplace_back([&, i] { Ask(plan, i, begin, answers[static_cast<std::size_t>(i)]); });
  }
  const double took = std::chrono::duration<double>(Steady::now() - begin).count();
  std::vector<double> all;
  for (const Answers& each : answers) {
    if (!each.error.empty()) {
      std::fprintf(stderr, "trove-bench-load: %s\n", each.error.c_str());
      return 1;
    }
    all.insert(all.end(), each.ms.begin(), each.ms.end());
  }
  if (all.empty()) {
    std::fprintf(stderr, "trove-bench-load: nothing was answered\n");
    return 1;
  }
  std::sort(all.begin(), all.end());
  std::printf(
      "{\"requests\": %zu, \"per_second\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
      "\"max_ms\": %.3f, \"body_bytes\": %zu}\n",
      all.size(),
      static_cast<double>(all.size()) / took,
      Percentile(all, 0.5),
      Percentile(all, 0.99),
      all.back(),
      answers[0].bytes);
  return 0;
}
