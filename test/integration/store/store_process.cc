// A process that writes to a store as its arguments say, and tells on stdout what was accepted:
//
//   store_process create PATH PROJECT COUNT       creates instances; prints how many were accepted
//   store_process rename PATH INSTANCE COUNT      renames one instance again and again
//   store_process flood PATH PREFIX CHECKPOINT    creates until killed; prints each id when
//   accepted store_process starve PATH BYTES               creates with a limit on the size of
//   files, prints
//                                                 the status that ends it, then without the limit
//   store_process work PATH WORKER PER_HOST       carries operations out until none is open; prints
//                                                 each id when its end is written

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/time/clock.h>

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite_store.h"
#include "test/support/store_samples.h"

namespace trove {
namespace {

int Fail(const absl::Status& status) {
  std::cout << status << std::endl;
  return EXIT_FAILURE;
}

absl::Status CreateOne(Store& store, const std::string& project, std::string* id = nullptr) {
  const NewInstance wanted = WantedInstance(project, "db");
  if (id != nullptr) *id = wanted.instance.id.value();
  return store.CreateInstance(SoonCall(), Tenant(project), wanted).status();
}

int Create(Store& store, const std::string& project, int count) {
  int accepted = 0;
  for (int i = 0; i < count; ++i) {
    const absl::Status status = CreateOne(store, project);
    if (status.ok()) ++accepted;
    if (!status.ok() && !absl::IsResourceExhausted(status)) return Fail(status);
  }
  std::cout << accepted << std::endl;
  return EXIT_SUCCESS;
}

int Rename(Store& store, const InstanceId& id, int count) {
  for (int i = 0; i < count; ++i) {
    const std::string name = "name " + std::to_string(::getpid()) + "." + std::to_string(i);
    const auto renamed = store.RenameInstance(SoonCall(), Tenant("p"), id, name);
    if (!renamed.ok()) return Fail(renamed.status());
  }
  return EXIT_SUCCESS;
}

int Flood(Store& store, const std::string& prefix) {
  for (int i = 0;; ++i) {
    std::string id;
    const absl::Status status = CreateOne(store, prefix + std::to_string(i / 10), &id);
    if (!status.ok()) return Fail(status);
    std::cout << id << std::endl;
  }
}

void LimitFiles(rlim_t bytes) {
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

int Starve(Store& store, rlim_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);
  LimitFiles(bytes);
  absl::Status status;
  int accepted = 0;
  for (; status.ok(); ++accepted)
    status = CreateOne(store, "p" + std::to_string(accepted / 10));
  LimitFiles(RLIM_INFINITY);
  std::cout << accepted - 1 << " " << absl::StatusCodeToString(status.code()) << " "
            << CreateOne(store, "after") << std::endl
            << status << std::endl;
  return EXIT_SUCCESS;
}

// One write in the middle, and the last one.
absl::Status CarryOut(Store& store, const WorkerId& worker, Operation operation) {
  operation.reason = "half of it is done";
  TROVE_RETURN_IF_ERROR(
      store.WriteOperation(SoonCall(), worker, {operation, {}, {}, false}).status());
  operation.state = OperationState::kSucceeded;
  return store
      .WriteOperation(SoonCall(), worker, {operation, {SetTask{TaskStatus::kNone}}, {}, true})
      .status();
}

int Work(Store& store, const WorkerId& worker, int per_host) {
  while (true) {
    const absl::Status renewed = store.RenewWorker(SoonCall(), worker, absl::Milliseconds(500));
    if (!renewed.ok()) return Fail(renewed);
    const auto claims = store.ClaimDue(
        SoonCall(), worker, {.operations = 4, .per_host = per_host, .host = "process:h"});
    if (!claims.ok()) return Fail(claims.status());
    for (const ClaimedOperation& claimed : claims->operations) {
      const absl::Status done = CarryOut(store, worker, claimed.operation);
      if (!done.ok()) return Fail(done);
      std::cout << claimed.operation.id.value() << std::endl;
    }
    const auto counts = store.CountEngine(SoonCall(), worker);
    if (!counts.ok()) return Fail(counts.status());
    if (counts->open_operations == 0) return EXIT_SUCCESS;
    if (claims->operations.empty()) absl::SleepFor(absl::Milliseconds(2));
  }
}

int Main(const std::vector<std::string>& arguments) {
  const std::string& mode = arguments.at(1);
  SqliteStoreOptions options{.path = arguments.at(2)};
  options.checkpoint = mode == "flood" && arguments.at(4) == "checkpoint";
  options.checkpoint_interval = absl::Milliseconds(5);
  options.truncate_interval = absl::Milliseconds(20);
  const auto store = OpenSqliteStore(options);
  if (!store.ok()) return Fail(store.status());
  if (mode == "create") return Create(**store, arguments.at(3), std::stoi(arguments.at(4)));
  if (mode == "rename")
    return Rename(**store, InstanceId(arguments.at(3)), std::stoi(arguments.at(4)));
  if (mode == "flood") return Flood(**store, arguments.at(3));
  if (mode == "work") return Work(**store, WorkerId(arguments.at(3)), std::stoi(arguments.at(4)));
  if (mode == "starve") return Starve(**store, std::stoul(arguments.at(3)));
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace trove

int main(int argc, char** argv) {
  return trove::Main({argv, argv + argc});
}
