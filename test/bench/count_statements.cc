// Linked into a program, counts every SQL statement that SQLite begins in it, in 8 bytes of the
// file `statements` beside the program, while that file exists when the program starts. It costs a
// statement one atomic addition.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include <sqlite3.h>

namespace {

using Counter = std::atomic<std::uint64_t>;
static_assert(Counter::is_always_lock_free);

int OnStatement(unsigned, void* counter, void*, void*) {
  static_cast<Counter*>(counter)->fetch_add(1, std::memory_order_relaxed);
  return 0;
}

Counter* counter = nullptr;

int OnOpen(sqlite3* connection, const char**, const void*) {
  return sqlite3_trace_v2(connection, SQLITE_TRACE_STMT, OnStatement, counter);
}

// Before main, as the program itself knows nothing of this.
[[gnu::constructor]] void CountStatements() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return;
  const int file = ::open((program.parent_path() / "statements").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void* mapped = ::mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (mapped == MAP_FAILED) return;
  counter = static_cast<Counter*>(mapped);
  sqlite3_auto_extension(reinterpret_cast<void (*)()>(OnOpen));
}

}  // namespace
