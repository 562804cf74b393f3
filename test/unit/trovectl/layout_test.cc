#include "tools/trovectl/launch/layout.h"

#include <sys/stat.h>

#include <filesystem>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "test/support/temporary_directory.h"

namespace trove::trovectl {
namespace {

namespace fs = std::filesystem;

mode_t ModeOf(const fs::path& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

TEST_CASE("a folder on the way that others cannot enter is refused by its name",
          "[unit][trovectl]") {
  const TemporaryDirectory folder;
  REQUIRE(MakeDirectory(folder / "open/closed/data", 0711).ok());
  REQUIRE(MakeDirectory(folder / "open/closed", 0750).ok());
  fs::permissions(folder.path(), fs::perms(0711));
  fs::permissions(folder / "open", fs::perms(0711));

  const absl::Status refused = CheckOthersCanEnter(folder / "open/closed/data");
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  const std::string closed = (folder / "open/closed").string();
  CHECK(MessageOf(refused).find("chmod o+x " + closed + "`") != std::string::npos);

  fs::permissions(folder / "open/closed", fs::perms(0751));
  CHECK(CheckOthersCanEnter(folder / "open/closed/data").ok());
  CHECK(CheckOthersCanEnter(folder / "open/not/there/yet").ok());
}

TEST_CASE("a file in place of a folder is refused by its name", "[unit][trovectl]") {
  const TemporaryDirectory folder;
  fs::permissions(folder.path(), fs::perms(0711));
  REQUIRE(WriteFileAtomically(folder / "file", "x", 0755).ok());
  const absl::Status refused = CheckOthersCanEnter(folder / "file/data");
  CHECK(MessageOf(refused) == (folder / "file").string() + " is not a folder");
}

TEST_CASE("the data directory can be passed through and its secrets cannot be entered",
          "[unit][trovectl]") {
  const TemporaryDirectory folder;
  fs::permissions(folder.path(), fs::perms(0711));
  const Layout layout{folder / "data"};
  REQUIRE(PrepareLayout(layout).ok());
  CHECK(ModeOf(layout.data_dir) == 0711);
  for (const fs::path& closed : {layout.Secrets(),
                                 layout.Services(),
                                 layout.StoreFile().parent_path(),
                                 layout.Nats(),
                                 layout.Logs(),
                                 layout.Run()}) {
    CAPTURE(closed.string());
    CHECK(ModeOf(closed) == 0700);
  }
}

TEST_CASE("a mesh id that is none is refused, and a missing one is not found", "[unit][trovectl]") {
  const TemporaryDirectory folder;
  const Layout layout{folder.path()};
  CHECK(absl::IsNotFound(ReadMeshId(layout).status()));
  REQUIRE(WriteFileAtomically(layout.MeshId(), "0a1b2c3d\n", 0644).ok());
  CHECK(ReadMeshId(layout).value() == "0a1b2c3d");
  REQUIRE(WriteFileAtomically(layout.MeshId(), "mine\n", 0644).ok());
  CHECK(absl::IsFailedPrecondition(ReadMeshId(layout).status()));
}

}  // namespace
}  // namespace trove::trovectl
