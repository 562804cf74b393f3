#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/subprocess.h"
#include "libtrove/store/migrations.h"
#include "libtrove/store/sqlite/connection.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite_store.h"
#include "test/support/eventually.h"
#include "test/support/store_contract.h"
#include "test/support/temporary_directory.h"

namespace trove {
namespace {

// One process of store_process; killed at the latest when this goes.
class Process {
 public:
  Process(std::vector<std::string> arguments, std::string output) : output_(std::move(output)) {
    arguments.insert(arguments.begin(), STORE_PROCESS);
    ProgramSpec spec;
    spec.argv = std::move(arguments);
    spec.output = output_;
    const auto pid = Spawn(spec);
    REQUIRE(pid.ok());
    pid_ = *pid;
  }
  ~Process() { Kill(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // How it ended by itself.
  int Wait() {
    int status = 0;
    REQUIRE(::waitpid(std::exchange(pid_, 0), &status, 0) > 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  void Kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }
  // The whole lines that it has written.
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    const std::string text = ReadFile(output_).value_or("");
    std::istringstream stream(text.substr(0, text.rfind('\n') + 1));
    for (std::string line; std::getline(stream, line);)
      lines.push_back(line);
    return lines;
  }

 private:
  std::string output_;
  pid_t pid_ = 0;
};

std::unique_ptr<Store> Open(const std::string& path, const Clock& clock) {
  auto store = OpenSqliteStore({.path = path, .clock = &clock});
  INFO(store.status());
  REQUIRE(store.ok());
  return *std::move(store);
}

std::string IntegrityOf(const std::string& path) {
  const auto db = sqlite::Connection::Open(path, sqlite::OpenMode::kReadWrite);
  REQUIRE(db.ok());
  std::string answer;
  sqlite::Statement row(**db, "PRAGMA integrity_check");
  REQUIRE(row.Step().ok());
  row.Read(answer);
  return answer;
}

}  // namespace

TEST_CASE("SqliteStore keeps the Store contract while another process has the file open",
          "[integration][store]") {
  const TemporaryDirectory directory;
  int count = 0;
  std::unique_ptr<Process> other;
  CheckStoreContract([&](const Clock& clock) {
    const std::string path = directory / (std::to_string(++count) + ".db");
    REQUIRE(Migrate(path).ok());
    {
      // The other one needs the catalogue before the test brings it.
      const SystemClock system;
      REQUIRE(Open(path, system)->ImportCatalogue(SoonCall(), TestCatalogue()).ok());
    }
    // Writes nothing, but opens, checkpoints and leaves while the test goes on.
    other = std::make_unique<Process>(std::vector<std::string>{"create", path, "nobody", "0"},
                                      path + ".out");
    return Open(path, clock);
  });
}

TEST_CASE("processes that write at once lose no update", "[integration][store]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  REQUIRE(Migrate(path).ok());
  StoreFixture mesh([&](const Clock& clock) { return Open(path, clock); });
  const InstanceId id = mesh.Create("p", "db").view.instance.id;
  constexpr int kProcesses = 3;
  constexpr int kEach = 60;
  std::vector<std::unique_ptr<Process>> processes;
  for (int i = 0; i < kProcesses; ++i) {
    processes.push_back(std::make_unique<Process>(
        std::vector<std::string>{"rename", path, id.value(), std::to_string(kEach)},
        path + std::to_string(i)));
  }
  for (const auto& process : processes)
    CHECK(process->Wait() == 0);
  CHECK(mesh.Get(id).instance.version == 1 + kProcesses * kEach);
  // Two of the create, one of each rename, in one order without a gap.
  const std::vector<EventRecord> events = mesh.Events();
  CHECK(events.size() == 2 + kProcesses * kEach);
  CHECK(events.back().position == 2 + kProcesses * kEach);
}

TEST_CASE("processes that create at once share one quota", "[integration][store]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  REQUIRE(Migrate(path).ok());
  StoreFixture mesh([&](const Clock& clock) { return Open(path, clock); });
  Process one({"create", path, "p", "15"}, path + "1");
  Process two({"create", path, "p", "15"}, path + "2");
  CHECK(one.Wait() == 0);
  CHECK(two.Wait() == 0);
  REQUIRE(one.Lines().size() == 1);
  REQUIRE(two.Lines().size() == 1);
  CHECK(std::stoi(one.Lines()[0]) + std::stoi(two.Lines()[0]) == 10);
}

TEST_CASE("processes that carry out operations share a host's turns, also when one is killed",
          "[integration][store]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  REQUIRE(Migrate(path).ok());
  const SystemClock clock;
  const std::unique_ptr<Store> store = Open(path, clock);
  REQUIRE(store->ImportCatalogue(SoonCall(), TestCatalogue()).ok());
  constexpr int kMost = 3;
  std::set<std::string> asked;
  for (int i = 0; i < 240; ++i) {
    NewInstance wanted = WantedInstance("p" + std::to_string(i % 40), "db");
    REQUIRE(store->CreateInstance(SoonCall(), Tenant("p"), wanted).ok());
    asked.insert(wanted.operation.id.value());
  }
  std::vector<std::unique_ptr<Process>> workers;
  for (const char* name : {"w0", "w1", "w2"}) {
    workers.push_back(std::make_unique<Process>(
        std::vector<std::string>{"work", path, name, std::to_string(kMost)}, path + name));
  }
  const auto db = sqlite::Connection::Open(path, sqlite::OpenMode::kReadOnly);
  REQUIRE(db.ok());
  const auto running = [&] {
    sqlite::Statement row(**db, "SELECT count(*) FROM operations WHERE state IN (2, 3, 4)");
    REQUIRE(row.Step().ok());
    int count = 0;
    row.Read(count);
    return count;
  };
  int most = 0;
  const auto look = [&] {
    most = std::max(most, running());
  };
  REQUIRE(Eventually(absl::Seconds(30), [&] {
    look();
    return workers[0]->Lines().size() > 5;
  }));
  workers[0]->Kill();
  const WorkerId nobody("nobody");
  REQUIRE(store->RenewWorker(SoonCall(), nobody, absl::Minutes(5)).ok());
  CHECK(Eventually(absl::Seconds(60), [&] {
    look();
    return store->CountEngine(SoonCall(), nobody)->open_operations == 0;
  }));
  CHECK(workers[1]->Wait() == 0);
  CHECK(workers[2]->Wait() == 0);
  CHECK(most >= 1);
  CHECK(most <= kMost);
  // Each was ended once. What the killed one ended last it may not have told.
  std::multiset<std::string> ended;
  for (const auto& worker : workers) {
    for (const std::string& line : worker->Lines())
      ended.insert(line);
  }
  CHECK(ended.size() + 1 >= asked.size());
  for (const std::string& id : ended) {
    CHECK(asked.count(id) == 1);
    CHECK(ended.count(id) == 1);
  }
  CHECK(IntegrityOf(path) == "ok");
}

TEST_CASE("a process killed in the middle of its writes leaves a whole store, and all it answered",
          "[integration][store]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  REQUIRE(Migrate(path).ok());
  StoreFixture mesh([&](const Clock& clock) { return Open(path, clock); });
  for (int round = 0; round < 6; ++round) {
    const std::string name = std::to_string(round);
    Process victim({"flood", path, "a" + name + ".", round % 2 == 0 ? "checkpoint" : "no"},
                   path + ".a" + name);
    Process survivor({"flood", path, "b" + name + ".", round % 2 == 0 ? "no" : "checkpoint"},
                     path + ".b" + name);
    REQUIRE(Eventually(absl::Seconds(30),
                       [&] { return victim.Lines().size() > 20 && survivor.Lines().size() > 20; }));
    victim.Kill();
    const std::size_t before = survivor.Lines().size();
    CHECK(Eventually(absl::Seconds(30), [&] { return survivor.Lines().size() > before + 20; }));
    survivor.Kill();
    CHECK(mesh.Create("alive" + name, "db").view.instance.version == 1);
    for (const Process* process : {&victim, &survivor}) {
      for (const std::string& id : process->Lines()) {
        const auto view = mesh.store->GetInstance(SoonCall(), std::nullopt, InstanceId(id));
        REQUIRE(view.ok());
        REQUIRE(view->operation);
        REQUIRE(view->volume_id);
      }
    }
    CHECK(IntegrityOf(path) == "ok");
  }
}

}  // namespace trove
