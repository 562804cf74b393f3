#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/call.h"
#include "libtrove/base/log.h"
#include "libtrove/store/records.h"

namespace trove::taskmanager {

/// What a step may see and do besides the seams it was made with. Lives as long as one run of the
/// step, on its thread.
class StepContext {
 public:
  using LoadFn = std::function<absl::StatusOr<OperationTarget>(const Call&)>;
  using SaveFn = std::function<absl::Status(const std::vector<Effect>&)>;

  /// The engine's: what a step sees of the operation it belongs to.
  struct Scope {
    Call call;
    absl::Time now;
    const Operation* operation = nullptr;
    int attempt = 1;
    bool undoing = false;
    std::string step;
    std::int64_t generation = 0;
    const std::vector<Signal>* signals = nullptr;
    std::map<std::string, std::string>* facts = nullptr;
    LoadFn load;
    SaveFn save;
    Log log;
  };
  explicit StepContext(Scope scope) : scope_(std::move(scope)) {}
  StepContext(const StepContext&) = delete;
  StepContext& operator=(const StepContext&) = delete;

  /// Ends with the step's time, or when the operation was lost to somebody else.
  const Call& call() const { return scope_.call; }
  absl::Time now() const { return scope_.now; }
  const Operation& operation() const { return *scope_.operation; }
  const Log& log() const { return scope_.log; }

  /// Which attempt of the step this is, from 1: the same again after a wait or a crash.
  int attempt() const { return scope_.attempt; }

  /// The name of the step that is run or undone.
  const std::string& step() const { return scope_.step; }
  /// Whether the step is being undone.
  bool undoing() const { return scope_.undoing; }

  /// Goes with everything that is done to the guest.
  std::int64_t generation() const { return scope_.generation; }

  /// What the operation acts on, as it is now; read once a run.
  absl::StatusOr<OperationTarget> Target();

  /// Null: it has not arrived.
  const Signal* FindSignal(std::string_view name) const;

  /// The signal is not given again once the outcome is written.
  void Consume(std::string name) { consumed_.push_back(std::move(name)); }

  /// What was noted for this operation; empty: nothing. Notes are durable with the outcome or the
  /// next Save. Never a secret.
  std::string Fact(const std::string& name) const;
  void SetFact(const std::string& name, std::string value);

  /// Makes `effects` and notes durable now, before the step does what depends on them. Errors:
  /// kAborted: the operation is somebody else's; return at once, what is returned is dropped; else
  /// as Store::WriteOperation.
  absl::Status Save(const std::vector<Effect>& effects) { return scope_.save(effects); }

  /// Runs `then` once the outcome is durable, and never when it could not be written.
  void AfterWrite(std::function<void()> then) { after_write_.push_back(std::move(then)); }

  /// The engine's: what the step asked for besides its outcome.
  std::vector<std::string> TakeConsumed() { return std::exchange(consumed_, {}); }
  std::vector<std::function<void()>> TakeAfterWrite() { return std::exchange(after_write_, {}); }

 private:
  Scope scope_;
  std::optional<OperationTarget> target_;
  std::vector<std::string> consumed_;
  std::vector<std::function<void()>> after_write_;
};

}  // namespace trove::taskmanager
