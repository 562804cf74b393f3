#include <sys/mount.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "libtrove/base/subprocess.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/migrations.h"
#include "libtrove/store/sqlite_store.h"
#include "test/support/store_fixture.h"
#include "test/support/temporary_directory.h"

namespace trove {

TEST_CASE("a file that may not grow refuses writes, and takes them again when it may",
          "[integration][store]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  REQUIRE(Migrate(path).ok());
  StoreFixture mesh(
      [&](const Clock& clock) { return OpenSqliteStore({.path = path, .clock = &clock}).value(); });
  ProgramSpec spec;
  spec.argv = {STORE_PROCESS, "starve", path, "2000000"};
  const auto result = RunProgram(CallFor(absl::Seconds(60)), spec);
  REQUIRE(result.ok());
  CAPTURE(result->output);
  CHECK(result->exit_code == 0);
  const auto accepted = std::stoul(result->output);
  CHECK(accepted > 5);
  CHECK(result->output.find(" RESOURCE_EXHAUSTED OK\n") != std::string::npos);
  // Nothing of the refused one stayed, and what was accepted did.
  CHECK(mesh.store->CountEngine(SoonCall(), WorkerId("w")).value().open_operations ==
        static_cast<std::int64_t>(accepted) + 1);
}

TEST_CASE("a full disk refuses writes, serves reads, and takes writes again when there is room",
          "[integration][store]") {
  const TemporaryDirectory directory;
  const std::filesystem::path disk = directory / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=4m") != 0) {
    // Not allowed here: the test above stands for it.
    REQUIRE((errno == EPERM || errno == EACCES));
    WARN("no file system may be mounted here: not tried");
    return;
  }
  {
    const std::string path = disk / "trove.db";
    REQUIRE(Migrate(path).ok());
    StoreFixture mesh([&](const Clock& clock) {
      return OpenSqliteStore({.path = path,
                              .clock = &clock,
                              .checkpoint = true,
                              .checkpoint_interval = absl::Milliseconds(10)})
          .value();
    });
    const InstanceId id = mesh.Create("p", "db").view.instance.id;
    std::ofstream(disk / "ballast") << std::string(std::size_t{8} << 20, 'x');
    absl::Status status;
    for (int i = 0; status.ok() && i < 1000; ++i) {
      const std::string project = "p" + std::to_string(i);
      status =
          mesh.store->CreateInstance(SoonCall(), Tenant(project), WantedInstance(project, "db"))
              .status();
    }
    CAPTURE(status);
    CHECK(absl::IsResourceExhausted(status));
    CHECK(ReasonOf(status).reason != Reason::kQuotaExceeded);
    CHECK(mesh.Get(id).instance.name == "db");
    std::filesystem::remove(disk / "ballast");
    CHECK(mesh.store->RenameInstance(SoonCall(), Tenant("p"), id, "new").ok());
  }
  CHECK(::umount2(disk.c_str(), MNT_DETACH) == 0);
}

}  // namespace trove
