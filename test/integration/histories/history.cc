#include "test/integration/histories/history.h"

#include <fstream>
#include <sstream>
#include <utility>

#include <google/protobuf/text_format.h>

#include "trove/mesh/v1/operation_memory.pb.h"
#include "trove/v1/operation.pb.h"

#include "libtrove/base/check.h"

namespace trove::taskmanager {
namespace {

using google::protobuf::TextFormat;

constexpr char kLine[] = "---\n";

mesh::v1::OperationMemory MemoryOf(const Operation& operation) {
  mesh::v1::OperationMemory memory;
  TROVE_CHECK(memory.ParseFromString(operation.memory));
  return memory;
}

const char* WordFor(OperationState state) {
  switch (state) {
    case OperationState::kWaiting:
      return "waiting";
    case OperationState::kCancelling:
      return "undoing";
    default:
      return "running";
  }
}

}  // namespace

std::string History::Place() const {
  const int step = undoing() ? MemoryOf(operation).undo().next_step() : operation.current_step;
  if (step < 0 || step >= static_cast<int>(operation.steps.size())) return "end";
  return operation.steps[static_cast<std::size_t>(step)].name;
}

History HistoryOf(const Operation& operation) {
  History history;
  history.operation = operation;
  const int step =
      history.undoing() ? MemoryOf(operation).undo().next_step() : operation.current_step;
  history.name = operation.kind + "." + std::to_string(operation.workflow_version) + "." +
                 std::to_string(step) + "-" + history.Place() + "-" + WordFor(operation.state);
  return history;
}

History ReadHistory(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::stringstream text;
  text << stream.rdbuf();
  const std::string all = text.str();
  const std::size_t line = all.find(kLine);
  TROVE_CHECK(line != std::string::npos);
  v1::Operation told;
  mesh::v1::OperationMemory memory;
  TROVE_CHECK(TextFormat::ParseFromString(all.substr(0, line), &told));
  TROVE_CHECK(TextFormat::ParseFromString(all.substr(line + sizeof kLine - 1), &memory));
  History history;
  history.name = file.stem();
  Operation& operation = history.operation;
  operation.kind = told.kind();
  operation.workflow_version = std::stoi(history.name.substr(told.kind().size() + 1));
  operation.state = static_cast<OperationState>(told.state());
  operation.current_step = told.current_step();
  operation.reason = told.reason();
  operation.memory = memory.SerializeAsString();
  for (const v1::Operation::Step& each : told.steps()) {
    StepRecord& step = operation.steps.emplace_back();
    step.name = each.name();
    step.state = static_cast<StepState>(each.state());
    step.attempts = each.attempts();
    step.last_error = each.last_error();
  }
  return history;
}

void SaveHistory(const History& history, const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / (history.name + ".txt");
  if (std::filesystem::exists(file)) return;
  v1::Operation told;
  const Operation& operation = history.operation;
  told.set_kind(operation.kind);
  told.set_state(static_cast<v1::Operation::State>(operation.state));
  told.set_current_step(operation.current_step);
  told.set_reason(operation.reason);
  for (const StepRecord& each : operation.steps) {
    v1::Operation::Step& step = *told.add_steps();
    step.set_name(each.name);
    step.set_state(static_cast<v1::Operation::Step::State>(each.state));
    step.set_attempts(each.attempts);
    step.set_last_error(each.last_error);
  }
  std::string first;
  std::string second;
  TROVE_CHECK(TextFormat::PrintToString(told, &first));
  TROVE_CHECK(TextFormat::PrintToString(MemoryOf(operation), &second));
  std::ofstream(file) << first << kLine << second;
}

HistoryStore::HistoryStore(std::unique_ptr<Store> store,
                           std::string kind,
                           const History* history,
                           bool cancel,
                           std::filesystem::path folder)
    : ForwardingStore(*store),
      owned_(std::move(store)),
      kind_(std::move(kind)),
      history_(history),
      cancel_(cancel),
      folder_(std::move(folder)) {}

bool HistoryStore::replaced() const {
  const MutexLock lock(mutex_);
  return replaced_;
}

absl::StatusOr<OperationWritten> HistoryStore::WriteOperation(const Call& call,
                                                              const WorkerId& worker,
                                                              const OperationWrite& write) {
  const Operation& operation = write.operation;
  if (operation.kind != kind_ || IsEnded(operation.state))
    return store_.WriteOperation(call, worker, write);
  if (history_ == nullptr) SaveHistory(HistoryOf(operation), folder_);
  if (history_ != nullptr && IsThePlace(operation)) return Replace(call, worker, write);
  // Before the wait is recorded: after it, what it waits for may come first.
  if (cancel_ && operation.state == OperationState::kWaiting) {
    Requester somebody;
    somebody.project_id = operation.project_id;
    somebody.user = "somebody";
    store_.CancelOperation(call, somebody, operation.id).IgnoreError();  // past its last chance
  }
  return store_.WriteOperation(call, worker, write);
}

bool HistoryStore::IsThePlace(const Operation& operation) {
  const History now = HistoryOf(operation);
  if (now.undoing() != history_->undoing() || now.Place() != history_->Place()) return false;
  const MutexLock lock(mutex_);
  return !std::exchange(replaced_, true);
}

absl::StatusOr<OperationWritten> HistoryStore::Replace(const Call& call,
                                                       const WorkerId& worker,
                                                       OperationWrite write) {
  Operation& operation = write.operation;
  const Operation& stored = history_->operation;
  operation.workflow_version = stored.workflow_version;
  operation.state = stored.state;
  operation.current_step = stored.current_step;
  operation.reason = stored.reason;
  operation.steps = stored.steps;
  for (StepRecord& step : operation.steps)
    if (step.state != StepState::kPending) step.started_at = absl::Now();
  mesh::v1::OperationMemory memory = MemoryOf(stored);
  if (memory.has_undo()) memory.mutable_undo()->set_started_at_us(absl::ToUnixMicros(absl::Now()));
  operation.memory = memory.SerializeAsString();
  operation.awaited_signal.clear();
  operation.due_at = absl::Now();
  write.release = true;
  const auto written = store_.WriteOperation(call, worker, write);
  if (!written.ok()) return written.status();
  return absl::AbortedError("it is as in the history now, and somebody else's");
}

}  // namespace trove::taskmanager
