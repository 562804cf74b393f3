#include "libtrove/base/executor.h"

#include <atomic>
#include <future>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <pthread.h>

#include "test/support/eventually.h"
#include "test/unit/base/captured_output.h"

namespace trove {
namespace {

// Keeps a thread of an executor busy until released.
class Blocker {
 public:
  Executor::Task Task() {
    return [this] {
      started_.count_down();
      release_.wait();
    };
  }
  void AwaitStart() { started_.wait(); }
  void Release() { release_.count_down(); }

 private:
  std::latch started_{1};
  std::latch release_{1};
};

TEST_CASE("one thread runs tasks in order of arrival", "[unit][base]") {
  std::vector<int> order;
  {
    Executor executor("order", 1, 100);
    for (int i = 0; i < 100; ++i)
      REQUIRE(executor.Submit([&order, i] { order.push_back(i); }).ok());
  }
  REQUIRE(order.size() == 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("a full queue refuses, and runs nothing of what it refused", "[unit][base]") {
  std::atomic<int> ran = 0;
  Blocker blocker;
  Executor executor("full", 1, 2);
  REQUIRE(executor.Submit(blocker.Task()).ok());
  blocker.AwaitStart();
  CHECK(executor.Submit([&] { ++ran; }).ok());
  CHECK(executor.Submit([&] { ++ran; }).ok());
  CHECK(executor.queued() == 2);
  CHECK(absl::IsResourceExhausted(executor.Submit([&] { ran += 100; })));
  blocker.Release();
  executor.Drain();
  CHECK(ran == 2);
}

TEST_CASE("an idle thread takes a task that the queue has no place for", "[unit][base]") {
  Blocker first;
  Blocker second;
  Executor executor("idle", 2, 0);
  CHECK(executor.Submit(first.Task()).ok());
  CHECK(executor.Submit(second.Task()).ok());
  first.AwaitStart();
  second.AwaitStart();
  CHECK(absl::IsResourceExhausted(executor.Submit([] {})));
  first.Release();
  CHECK(Eventually(absl::Seconds(10), [&] { return executor.Submit([] {}).ok(); }));
  second.Release();
}

TEST_CASE("draining runs what was accepted and refuses the rest", "[unit][base]") {
  std::atomic<int> ran = 0;
  Blocker blocker;
  Executor executor("drain", 2, 100);
  REQUIRE(executor.Submit(blocker.Task()).ok());
  blocker.AwaitStart();
  for (int i = 0; i < 50; ++i)
    REQUIRE(executor.Submit([&] { ++ran; }).ok());
  std::vector<std::jthread> drainers;
  std::atomic<int> drained = 0;
  for (int i = 0; i < 2; ++i) {
    drainers.emplace_back([&] {
      executor.Drain();
      ++drained;
    });
  }
  CHECK(Eventually(absl::Seconds(10), [&] { return absl::IsUnavailable(executor.Submit([] {})); }));
  CHECK(drained == 0);
  blocker.Release();
  executor.Drain();
  CHECK(ran == 50);
  drainers.clear();
  CHECK(drained == 2);
  CHECK(absl::IsUnavailable(executor.Submit([] {})));
}

TEST_CASE("a task that throws is logged and harms nobody else", "[unit][base]") {
  CapturedOutput captured(STDERR_FILENO);
  bool ran = false;
  {
    Executor executor("thrower", 1, 10);
    REQUIRE(executor.Submit([] { throw std::runtime_error("bad luck"); }).ok());
    REQUIRE(executor.Submit([] { throw 7; }).ok());
    REQUIRE(executor.Submit([&] { ran = true; }).ok());
  }
  const std::string log = captured.Take();
  CHECK(ran);
  CHECK(log.find("bad luck") != std::string::npos);
  CHECK(log.find("\"executor\":\"thrower\"") != std::string::npos);
}

TEST_CASE("threads carry the executor's name", "[unit][base]") {
  std::promise<std::string> name;
  Executor executor("a-rather-long-name", 1, 1);
  // The thread is named from outside, so it may ask too early.
  REQUIRE(executor
              .Submit([&] {
                char text[16] = "";
                Eventually(absl::Seconds(10), [&] {
                  pthread_getname_np(pthread_self(), text, sizeof(text));
                  return std::string(text) == "a-rather-long-n";
                });
                name.set_value(text);
              })
              .ok());
  CHECK(name.get_future().get() == "a-rather-long-n");
}

}  // namespace
}  // namespace trove
