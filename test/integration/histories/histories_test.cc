#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/model/workflow_outline.h"
#include "test/integration/histories/history.h"
#include "test/integration/taskmanager/every_operation.h"
#include "test/integration/taskmanager/memory_mesh.h"
#include "test/support/eventually.h"

namespace trove::taskmanager {
namespace {

/// A mesh with one instance, on which one operation of a kind is made to follow a history.
struct Stage {
  Stage(std::string kind, const History* history, bool cancel)
      : kind_(std::move(kind)), history_(history), cancel_(cancel) {
    mesh.wrap_store = [this](std::unique_ptr<Store> store) {
      auto wrapped =
          std::make_unique<HistoryStore>(std::move(store), kind_, history_, cancel_, HISTORIES);
      store_ = wrapped.get();
      return wrapped;
    };
    mesh.StartTaskManager();
    MakeGroup(mesh);
    made = mesh.NewCreate();
  }

  /// The operation, once it has ended.
  Operation Run() {
    mesh.Create(made);
    if (kind_ == "instance.create") {
      TROVE_CHECK(mesh.Ends(made.operation.id));
      return mesh.Get(made.operation.id);
    }
    TROVE_CHECK(mesh.BecomesActive(made));
    if (kind_ == "instance.start") TROVE_CHECK(mesh.Ends(mesh.Begin(Ask("instance.stop"))));
    const OperationId id =
        kind_ == "instance.delete" ? mesh.Delete(made.instance.id) : mesh.Begin(Ask(kind_));
    TROVE_CHECK(mesh.Ends(id));
    return mesh.Get(id);
  }

  NewAction Ask(const std::string& kind) { return ActionOf(made, kind); }

  bool replaced() const { return store_->replaced(); }

  MemoryMesh memory_mesh;
  SmallMesh& mesh = memory_mesh.mesh;
  NewInstance made;

 private:
  const std::string kind_;
  const History* const history_;
  const bool cancel_;
  HistoryStore* store_ = nullptr;
};

std::vector<History> StoredHistories() {
  std::vector<History> all;
  for (const auto& file : std::filesystem::directory_iterator(HISTORIES))
    if (file.path().filename() != "shipped.txt") all.push_back(ReadHistory(file.path()));
  std::sort(all.begin(), all.end(), [](const History& one, const History& other) {
    return one.name < other.name;
  });
  return all;
}

// Run with TROVE_RECORD_HISTORIES=1 after a new version of a workflow was made: it writes what is
// not there yet.
TEST_CASE("every place that operations come to is recorded when asked for",
          "[integration][taskmanager]") {
  if (std::getenv("TROVE_RECORD_HISTORIES") == nullptr) return;
  for (const WorkflowOutline& outline : WorkflowOutlines()) {
    for (const bool cancel : {false, true}) {
      if (cancel && !outline.cancellable) continue;
      Stage stage(outline.kind, nullptr, cancel);
      const Operation ended = stage.Run();
      WARN(outline.kind << " ended as " << static_cast<int>(ended.state) << " " << ended.error);
    }
  }
}

TEST_CASE("an operation that a release has begun is finished by this one",
          "[integration][taskmanager]") {
  std::set<std::string> kinds;
  for (const History& history : StoredHistories()) {
    CAPTURE(history.name);
    const std::string& kind = history.operation.kind;
    kinds.insert(kind);
    Stage stage(kind, &history, history.undoing());
    const Operation ended = stage.Run();
    CAPTURE(ended.error);
    CHECK(stage.replaced());
    CHECK(ended.state ==
          (history.undoing() ? OperationState::kCancelled : OperationState::kSucceeded));
    CHECK(ended.workflow_version == history.operation.workflow_version);
    if (kind == "instance.delete" || (kind == "instance.create" && history.undoing()))
      CHECK(Eventually(absl::Seconds(5), [&] { return NothingIsLeft(stage.mesh); }));
    else
      CHECK(Eventually(absl::Seconds(5), [&] {
        const auto view = stage.mesh.View(stage.made.instance.id);
        return view.ok() && view->instance.task == TaskStatus::kNone;
      }));
  }
  CHECK(kinds.size() == WorkflowOutlines().size());
}

}  // namespace
}  // namespace trove::taskmanager
