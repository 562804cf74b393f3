#include "test/support/faults/boundaries.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "libtrove/base/mutex.h"

namespace trove::faults {
namespace {

struct Plan {
  std::string run;
  std::string action;
  std::string method;
  int number = -1;
};

// Held while files are read and written: this is no product, and order matters more than speed.
Mutex mutex;
std::string current_run;
int next_index = 0;
int failed = 0;

const char* Folder() {
  static const char* const folder = std::getenv("FAULTS_DIR");
  return folder;
}

Plan ReadPlan() {
  std::ifstream file(std::string(Folder()) + "/plan");
  Plan plan;
  file >> plan.run >> plan.action;
  if (plan.action == "fail") file >> plan.method;
  file >> plan.number;
  if (plan.run != current_run) {
    current_run = plan.run;
    next_index = 0;
    failed = 0;
  }
  return plan;
}

void Note(const std::string& line) {
  const int file =
      ::open((std::string(Folder()) + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  [[maybe_unused]] const ssize_t written = ::write(file, line.data(), line.size());
  ::close(file);
}

}  // namespace

void Reach(std::string_view label) {
  if (Folder() == nullptr) return;
  const MutexLock lock(mutex);
  const Plan plan = ReadPlan();
  if (plan.run.empty()) return;
  const int index = next_index++;
  const bool now = index == plan.number && (plan.action == "kill" || plan.action == "stop");
  if (now) ::unlink((std::string(Folder()) + "/plan").c_str());
  Note(plan.run + " " + std::to_string(index) + " " + std::string(label) +
       (now ? " " + plan.action + "\n" : "\n"));
  if (now) ::kill(::getpid(), plan.action == "kill" ? SIGKILL : SIGSTOP);
}

bool ShallFail(std::string_view method) {
  if (Folder() == nullptr) return false;
  const MutexLock lock(mutex);
  const Plan plan = ReadPlan();
  if (plan.action != "fail" || plan.method != method || failed >= plan.number) return false;
  ++failed;
  Note(plan.run + " " + std::to_string(failed) + " " + std::string(method) + " fail\n");
  return true;
}

}  // namespace trove::faults
