#include "libtrove/base/files.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/status_macros.h"
#include "test/support/temporary_directory.h"

namespace trove {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kNobody = 65534;

mode_t ModeOf(const fs::path& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

std::vector<std::string> NamesIn(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename());
  return names;
}

// While it lives, writing beyond `bytes` fails half-way as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    before_handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, before_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  sighandler_t before_handler_;
};

// While it lives the process is an ordinary user, whom permissions hold back.
class OrdinaryUser {
 public:
  OrdinaryUser() {
    if (root_) TROVE_CHECK(::seteuid(kNobody) == 0);
  }
  ~OrdinaryUser() {
    if (root_) TROVE_CHECK(::seteuid(0) == 0);
  }
  OrdinaryUser(const OrdinaryUser&) = delete;
  OrdinaryUser& operator=(const OrdinaryUser&) = delete;

 private:
  const bool root_ = ::geteuid() == 0;
};

TEST_CASE("a file is read as it was written", "[unit][base]") {
  const TemporaryDirectory folder;
  const std::string content =
      GENERATE(std::string(), std::string("a\0b\n", 4), std::string(100000, 'x'));
  REQUIRE(WriteFileAtomically(folder / "file", content, 0640).ok());
  CHECK(ReadFile(folder / "file").value() == content);
  CHECK(ModeOf(folder / "file") == 0640);
  CHECK(NamesIn(folder.path()) == std::vector<std::string>{"file"});
}

TEST_CASE("reading says what is wrong", "[unit][base]") {
  const TemporaryDirectory folder;
  REQUIRE(WriteFileAtomically(folder / "file", "12345", 0600).ok());
  CHECK(absl::IsNotFound(ReadFile(folder / "other").status()));
  CHECK(ReadFile(folder / "file", 5).value() == "12345");
  CHECK(absl::IsResourceExhausted(ReadFile(folder / "file", 4).status()));
  CHECK_FALSE(ReadFile(folder.path()).ok());
  if (::geteuid() == 0) REQUIRE(::chown(folder.path().c_str(), kNobody, kNobody) == 0);
  const OrdinaryUser user;
  REQUIRE(WriteFileAtomically(folder / "closed", "12345", 0).ok());
  CHECK(absl::IsPermissionDenied(ReadFile(folder / "closed").status()));
}

TEST_CASE("writing replaces the whole file and its mode", "[unit][base]") {
  const TemporaryDirectory folder;
  const mode_t before = ::umask(0077);
  REQUIRE(WriteFileAtomically(folder / "file", "a longer text", 0600).ok());
  REQUIRE(WriteFileAtomically(folder / "file", "short", 0644).ok());
  ::umask(before);
  CHECK(ReadFile(folder / "file").value() == "short");
  CHECK(ModeOf(folder / "file") == 0644);
}

TEST_CASE("writing through a link replaces the link", "[unit][base]") {
  const TemporaryDirectory folder;
  REQUIRE(WriteFileAtomically(folder / "target", "old", 0600).ok());
  fs::create_symlink("target", folder / "link");
  REQUIRE(WriteFileAtomically(folder / "link", "new", 0600).ok());
  CHECK(ReadFile(folder / "target").value() == "old");
  CHECK_FALSE(fs::is_symlink(folder / "link"));
}

TEST_CASE("a write that fails leaves the old file and no other", "[unit][base]") {
  const TemporaryDirectory folder;
  REQUIRE(WriteFileAtomically(folder / "file", "old", 0600).ok());
  SECTION("the disk is full") {
    const FileSizeLimit limit(1000);
    CHECK_FALSE(WriteFileAtomically(folder / "file", std::string(5000, 'x'), 0600).ok());
  }
  SECTION("the folder may not be written") {
    REQUIRE(::chmod(folder.path().c_str(), 0555) == 0);
    {
      const OrdinaryUser user;
      CHECK(absl::IsPermissionDenied(WriteFileAtomically(folder / "file", "new", 0600)));
    }
    REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  }
  SECTION("the folder is missing") {
    CHECK(absl::IsNotFound(WriteFileAtomically(folder / "no" / "file", "new", 0600)));
  }
  SECTION("a folder has that name") {
    fs::create_directories(folder / "taken" / "x");
    CHECK_FALSE(WriteFileAtomically(folder / "taken", "new", 0600).ok());
    fs::remove_all(folder / "taken");
  }
  CHECK(ReadFile(folder / "file").value() == "old");
  CHECK(NamesIn(folder.path()) == std::vector<std::string>{"file"});
}

TEST_CASE("a folder is made with what is missing above it", "[unit][base]") {
  const TemporaryDirectory folder;
  REQUIRE(MakeDirectory(folder / "a" / "b", 0711).ok());
  CHECK(ModeOf(folder / "a" / "b") == 0711);
  SECTION("and gets its mode also when it was there") {
    REQUIRE(MakeDirectory(folder / "a" / "b", 0700).ok());
    CHECK(ModeOf(folder / "a" / "b") == 0700);
  }
  SECTION("a file in the way is an error") {
    REQUIRE(WriteFileAtomically(folder / "file", "", 0600).ok());
    CHECK_FALSE(MakeDirectory(folder / "file", 0700).ok());
    CHECK_FALSE(MakeDirectory(folder / "file" / "b", 0700).ok());
    CHECK(ModeOf(folder / "file") == 0600);
  }
}

TEST_CASE("a private folder is this user's own", "[unit][base]") {
  const TemporaryDirectory folder;
  const fs::path path = folder / "private";
  SECTION("made closed") {
    REQUIRE(MakePrivateDirectory(path).ok());
    CHECK(ModeOf(path) == 0700);
  }
  SECTION("closed when it was open") {
    REQUIRE(MakeDirectory(path, 0777).ok());
    REQUIRE(MakePrivateDirectory(path).ok());
    CHECK(ModeOf(path) == 0700);
  }
  SECTION("a link is refused, and what it names is untouched") {
    REQUIRE(MakeDirectory(folder / "other", 0755).ok());
    fs::create_directory_symlink("other", path);
    CHECK(absl::IsPermissionDenied(MakePrivateDirectory(path)));
    CHECK(ModeOf(folder / "other") == 0755);
  }
  SECTION("a file is refused") {
    REQUIRE(WriteFileAtomically(path, "", 0600).ok());
    CHECK(absl::IsPermissionDenied(MakePrivateDirectory(path)));
  }
  SECTION("somebody else's is refused") {
    if (::geteuid() != 0) return;  // only root can give a folder away
    REQUIRE(MakeDirectory(path, 0755).ok());
    REQUIRE(::chown(path.c_str(), kNobody, kNobody) == 0);
    CHECK(absl::IsPermissionDenied(MakePrivateDirectory(path)));
    CHECK(ModeOf(path) == 0755);
  }
  SECTION("nothing above it is made") {
    CHECK(absl::IsNotFound(MakePrivateDirectory(path / "deeper")));
  }
}

TEST_CASE("a tree goes with all below it, and may be gone already", "[unit][base]") {
  const TemporaryDirectory folder;
  REQUIRE(MakeDirectory(folder / "tree" / "a", 0700).ok());
  REQUIRE(WriteFileAtomically(folder / "kept", "", 0600).ok());
  fs::create_symlink(folder / "kept", folder / "tree" / "link");
  CHECK(RemoveTree(folder / "tree").ok());
  CHECK_FALSE(fs::exists(folder / "tree"));
  CHECK(fs::exists(folder / "kept"));
  CHECK(RemoveTree(folder / "tree").ok());
}

TEST_CASE("the folder of this binary holds this binary", "[unit][base]") {
  CHECK(fs::exists(ExecutableDirectory().value() / "base_test"));
}

}  // namespace
}  // namespace trove
