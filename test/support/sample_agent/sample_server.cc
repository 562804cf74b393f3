// The database server of the datastore `sample`: keeps one number on its volume.
//
//   trove-agent-sample-server CONFIG
//
// CONFIG has lines `key=value`. A client sends lines and gets a line for each:
//   add      adds one to the number, on the disk when the answer comes: the number
//   get      the number
//   status   `version=1 memory=512 … number=7`: the configuration it runs with, and its data
// and over the private socket also
//   reload   reads CONFIG anew, for what can change while it runs: `ok`
//   upgrade  makes its data those of its own version: `ok`
// It refuses to start, as servers do, on a parameter that it does not like, on data of a newer
// version or of another owner, and when another server has the data.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace {

using Settings = std::map<std::string, std::string>;

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "[ERROR] %s\n", why.c_str());
  std::exit(1);
}

Settings Read(const std::string& path) {
  std::ifstream file(path);
  if (!file) Die("cannot read " + path);
  Settings settings;
  for (std::string line; std::getline(file, line);) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) settings[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return settings;
}

std::string ReadWord(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

// On the disk, whole or not at all, when it returns.
void WriteWord(const std::string& path, const std::string& word) {
  const std::string beside = path + ".tmp";
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || ::write(file, word.data(), word.size()) != static_cast<ssize_t>(word.size()) ||
      ::fsync(file) != 0 || ::close(file) != 0 || ::rename(beside.c_str(), path.c_str()) != 0) {
    Die("cannot write " + path + ": " + std::strerror(errno));
  }
}

int ListenOn(const sockaddr* address, socklen_t length, int family) {
  const int listener = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int yes = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (listener < 0 || ::bind(listener, address, length) != 0 || ::listen(listener, 64) != 0)
    Die(std::string("cannot listen: ") + std::strerror(errno));
  return listener;
}

int ListenTcp(const Settings& settings) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(settings.at("port").c_str())));
  if (::inet_pton(AF_INET, settings.at("address").c_str(), &address.sin_addr) != 1)
    Die("address is not one: " + settings.at("address"));
  return ListenOn(reinterpret_cast<const sockaddr*>(&address), sizeof(address), AF_INET);
}

int ListenUnix(const std::string& path) {
  ::unlink(path.c_str());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) Die("too long for a socket: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return ListenOn(reinterpret_cast<const sockaddr*>(&address), sizeof(address), AF_UNIX);
}

struct Client {
  int socket;
  bool is_private;
  std::string unread;
};

class Server {
 public:
  explicit Server(const std::string& config) : config_(config), settings_(Read(config)) {
    for (const char* key : {"data", "address", "port", "socket", "version", "owner"})
      if (settings_.count(key) == 0) Die(std::string("no ") + key + " in " + config);
    data_ = settings_["data"];
    const int lock = ::open((data_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) Die("cannot open " + data_ + "/lock: " + std::strerror(errno));
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) Die("another server has " + data_);
    if (settings_.count("bad") != 0 && settings_["bad"] != "no")
      Die("parameter bad: " + settings_["bad"] + " is not possible");
    const std::string of = ReadWord(data_ + "/version");
    if (std::atoi(of.c_str()) > std::atoi(settings_["version"].c_str()))
      Die("the data are of version " + of + ", which is newer than " + settings_["version"]);
    if (of.empty()) WriteWord(data_ + "/version", settings_["version"]);
    const std::string owner = ReadWord(data_ + "/owner");
    if (!owner.empty() && owner != settings_["owner"]) Die("the data belong to another owner");
    if (owner.empty()) WriteWord(data_ + "/owner", settings_["owner"]);
    number_ = std::atol(ReadWord(data_ + "/number").c_str());
    if (settings_.count("slow_start_ms") != 0)
      ::poll(nullptr, 0, std::atoi(settings_["slow_start_ms"].c_str()));
    tcp_ = ListenTcp(settings_);
    unix_ = ListenUnix(settings_["socket"]);
  }

  [[noreturn]] void Run() {
    while (true) {
      std::vector<pollfd> waiting = {{tcp_, POLLIN, 0}, {unix_, POLLIN, 0}};
      for (const Client& client : clients_)
        waiting.push_back({client.socket, POLLIN, 0});
      if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
      for (std::size_t i = waiting.size(); i-- > 2;) {
        if (waiting[i].revents == 0 || Serve(clients_[i - 2])) continue;
        ::close(clients_[i - 2].socket);
        clients_.erase(clients_.begin() + static_cast<std::ptrdiff_t>(i - 2));
      }
      for (const int listener : {tcp_, unix_}) {
        const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket >= 0) clients_.push_back({socket, listener == unix_, ""});
      }
    }
  }

 private:
  // False: the client has gone.
  bool Serve(Client& client) {
    char bytes[4096];
    const ssize_t got = ::recv(client.socket, bytes, sizeof(bytes), 0);
    if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
    client.unread.append(bytes, static_cast<std::size_t>(got));
    while (true) {
      const std::size_t end = client.unread.find('\n');
      if (end == std::string::npos) return client.unread.size() < 4096;
      const std::string answer = Answer(client.unread.substr(0, end), client.is_private) + "\n";
      client.unread.erase(0, end + 1);
      if (::send(client.socket, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return false;
    }
  }

  std::string Answer(const std::string& line, bool is_private) {
    if (line == "add") {
      WriteWord(data_ + "/number", std::to_string(number_ + 1));
      return std::to_string(++number_);
    }
    if (line == "get") return std::to_string(number_);
    if (line == "status") return Status();
    if (is_private && line == "reload") {
      settings_ = Read(config_);
      return "ok";
    }
    if (is_private && line == "upgrade") {
      WriteWord(data_ + "/version", settings_["version"]);
      return "ok";
    }
    return "error: what is " + line + "?";
  }

  std::string Status() const {
    std::string text;
    for (const auto& [key, value] : settings_) {
      if (key != "owner") text += key + "=" + value + " ";
    }
    return text + "data_version=" + ReadWord(data_ + "/version") +
           " number=" + std::to_string(number_);
  }

  const std::string config_;
  Settings settings_;
  std::string data_;
  long number_ = 0;
  int tcp_ = -1;
  int unix_ = -1;
  std::vector<Client> clients_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) Die("usage: trove-agent-sample-server CONFIG");
  // In order means at once: nothing is in memory that is not on the disk.
  ::signal(SIGTERM, [](int) { ::_exit(0); });
  Server server(argv[1]);
  server.Run();
}
