#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "libtrove/base/mutex.h"
#include "libtrove/store/store.h"
#include "test/support/forwarding_store.h"

namespace trove::taskmanager {

/// An operation in the middle of its work, as a release has stored it: everything that its task
/// manager had written of it. Kept as text: a trove.v1.Operation, a line `---`, and a
/// mesh.v1.OperationMemory. The file's name begins with the kind and the version.
struct History {
  std::string name;  ///< `instance.create.1.2-guest-running`
  Operation operation;

  bool undoing() const { return operation.state == OperationState::kCancelling; }
  /// The step that it is at, forward or back.
  std::string Place() const;
};

/// What one write says.
History HistoryOf(const Operation& operation);

History ReadHistory(const std::filesystem::path& file);
void SaveHistory(const History& history, const std::filesystem::path& folder);

/// The store of a task manager in which one operation is made to be as in a history: when it comes
/// to the same place, what is written is the history, and its owner loses it.
class HistoryStore final : public ForwardingStore {
 public:
  /// `history` null: writes every place that operations come to into `folder`, unless there is one.
  /// `cancel`: each operation of `kind` that waits is cancelled by somebody.
  HistoryStore(std::unique_ptr<Store> store,
               std::string kind,
               const History* history,
               bool cancel,
               std::filesystem::path folder);

  absl::StatusOr<OperationWritten> WriteOperation(const Call& call,
                                                  const WorkerId& worker,
                                                  const OperationWrite& write) override;

  bool replaced() const TROVE_EXCLUDES(mutex_);

 private:
  absl::StatusOr<OperationWritten> Replace(const Call& call,
                                           const WorkerId& worker,
                                           OperationWrite write);
  bool IsThePlace(const Operation& operation) TROVE_EXCLUDES(mutex_);

  const std::unique_ptr<Store> owned_;
  const std::string kind_;
  const History* const history_;
  const bool cancel_;
  const std::filesystem::path folder_;
  mutable Mutex mutex_;
  bool replaced_ TROVE_GUARDED_BY(mutex_) = false;
};

}  // namespace trove::taskmanager
