#include "libtrove/store/sqlite/write_queue.h"

#include <chrono>
#include <future>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

Call Soon() {
  return CallFor(absl::Seconds(10));
}

std::unique_ptr<Connection> Numbers() {
  auto db = Connection::Open(":memory:", OpenMode::kCreate);
  REQUIRE(db.ok());
  REQUIRE((*db)->Execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)").ok());
  return *std::move(db);
}

WriteQueue::Work Insert(int n) {
  return [n](Transaction& tx) {
    return Run(tx.db, "INSERT INTO numbers VALUES (?)", n);
  };
}

int CountNumbers(WriteQueue& queue) {
  int count = -1;
  REQUIRE(queue
              .Run(Soon(),
                   [&](Transaction& tx) -> absl::Status {
                     Statement row(tx.db, "SELECT count(*) FROM numbers");
                     TROVE_RETURN_IF_ERROR(row.Step().status());
                     row.Read(count);
                     return absl::OkStatus();
                   })
              .ok());
  return count;
}

// Keeps a queue busy until told otherwise, so that what comes meanwhile is committed together.
class Blocked {
 public:
  explicit Blocked(WriteQueue& queue)
      : thread_([this, &queue] {
          status_ = queue.Run(Soon(), [this](Transaction&) {
            begun_.set_value();
            go_.get_future().wait();
            return absl::OkStatus();
          });
        }) {
    begun_.get_future().wait();
  }
  void Release() {
    go_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> begun_;
  std::promise<void> go_;
  absl::Status status_;
  std::jthread thread_;
};

}  // namespace

TEST_CASE("a refused write takes nothing of its group with it", "[unit][store]") {
  const SystemClock clock;
  WriteQueue queue(Numbers(), nullptr, clock);
  Blocked blocked(queue);
  std::vector<std::future<absl::Status>> results;
  for (int i = 0; i < 5; ++i) {
    results.push_back(std::async(std::launch::async, [&queue, i] {
      return queue.Run(Soon(), [i](Transaction& tx) -> absl::Status {
        TROVE_RETURN_IF_ERROR(Insert(i)(tx));
        if (i == 2) return absl::FailedPreconditionError("refused");
        if (i == 3) return Insert(3)(tx);  // twice
        return absl::OkStatus();
      });
    }));
  }
  blocked.Release();
  std::vector<absl::StatusCode> codes;
  for (auto& result : results)
    codes.push_back(result.get().code());
  CHECK(codes == std::vector{absl::StatusCode::kOk,
                             absl::StatusCode::kOk,
                             absl::StatusCode::kFailedPrecondition,
                             absl::StatusCode::kAlreadyExists,
                             absl::StatusCode::kOk});
  CHECK(CountNumbers(queue) == 3);
}

TEST_CASE("a caller leaves in time, and what nobody waits for is not begun", "[unit][store]") {
  const SystemClock clock;
  WriteQueue queue(Numbers(), nullptr, clock);
  Blocked blocked(queue);
  CHECK(absl::IsDeadlineExceeded(queue.Run(CallFor(absl::Milliseconds(20)), Insert(1))));
  std::stop_source stop;
  auto left = std::async(std::launch::async, [&] {
    return queue.Run(CallFor(absl::Seconds(60), stop.get_token()), Insert(2));
  });
  stop.request_stop();
  CHECK(absl::IsCancelled(left.get()));
  blocked.Release();
  CHECK(CountNumbers(queue) == 0);
}

TEST_CASE("a queue that ends finishes what was queued", "[unit][store]") {
  const SystemClock clock;
  auto queue = std::make_unique<WriteQueue>(Numbers(), nullptr, clock);
  Blocked blocked(*queue);
  std::vector<std::future<absl::Status>> results;
  for (int i = 0; i < 100; ++i) {
    results.push_back(
        std::async(std::launch::async, [&, i] { return queue->Run(Soon(), Insert(i)); }));
  }
  blocked.Release();
  for (auto& result : results)
    CHECK(result.get().ok());
  queue.reset();
}

}  // namespace trove::sqlite
