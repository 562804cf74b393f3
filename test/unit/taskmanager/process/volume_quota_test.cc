#include "services/taskmanager/process/volume_quota.h"

#include <cerrno>
#include <fstream>

#include <catch2/catch.hpp>

#include "test/support/temporary_directory.h"

namespace trove::taskmanager {
namespace {

TEST_CASE("no quotas is no error and a broken disk is one", "[unit][process]") {
  const auto [error, want] = GENERATE(table<int, bool>({
      {ENOSYS, true},
      {ENOTTY, true},
      {EOPNOTSUPP, true},
      {ESRCH, true},
      {EPERM, true},
      {EINVAL, true},
      {EIO, false},
      {ENOSPC, false},
      {ENOENT, false},
  }));
  CAPTURE(error);
  CHECK(MeansNoQuota(error) == want);
}

TEST_CASE("a volume is kept to its size where that can be and works where it cannot",
          "[unit][process]") {
  const TemporaryDirectory folder;
  std::ofstream(folder / "file") << "content";
  std::filesystem::create_symlink("/nowhere", folder / "link");
  const auto joined = JoinProject(folder.path(), 4'000'000'001U);
  INFO(joined.status());
  CHECK(joined.ok());
  const auto limited = LimitProject(folder.path(), 4'000'000'001U, std::int64_t{1} << 30);
  INFO(limited.status());
  CHECK(limited.ok());
  CHECK(LimitProject(folder.path(), 4'000'000'001U, 0).ok());
  CHECK_FALSE(LimitProject(folder / "missing", 4'000'000'001U, 0).ok());
}

}  // namespace
}  // namespace trove::taskmanager
