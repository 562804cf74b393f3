#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "agents/keeper/run.h"

namespace trove::keeper {
namespace {

using Arguments = std::vector<std::string>;

TEST_CASE("the keeper's command line is understood", "[unit][keeper]") {
  const auto keep = ParseOptions({"--spec", "/s", "--detach"});
  REQUIRE(keep.value);
  CHECK(keep.value->mode == Mode::kKeep);
  CHECK(keep.value->spec_path == "/s");
  CHECK(keep.value->detach);

  const auto exec = ParseOptions({"--exec",
                                  "--uid",
                                  "7",
                                  "--gid",
                                  "8",
                                  "--cgroup",
                                  "/a",
                                  "--cgroup",
                                  "/b",
                                  "--",
                                  "/x",
                                  "--uid"});
  REQUIRE(exec.value);
  CHECK(exec.value->mode == Mode::kExec);
  CHECK(exec.value->uid == 7);
  CHECK(exec.value->gid == 8);
  CHECK(exec.value->cgroups == Arguments{"/a", "/b"});
  CHECK(exec.value->command == Arguments{"/x", "--uid"});

  CHECK(ParseOptions({"--help"}).value->mode == Mode::kHelp);
}

TEST_CASE("a wrong command line is refused and the flag named", "[unit][keeper]") {
  const auto [arguments, error] = GENERATE(table<Arguments, std::string>({
      {Arguments{}, "--spec or --exec is needed"},
      {{"--spec"}, "--spec needs a value"},
      {{"--spec", ""}, "--spec does not take "},
      {{"--speck", "/s"}, "unknown argument --speck"},
      {{"--spec", "/s", "--uid", "7"}, "uid, gid, cgroups and command stand in the spec"},
      {{"--spec", "/s", "--", "/x"}, "uid, gid, cgroups and command stand in the spec"},
      {{"--exec", "--spec", "/s"}, "--exec stands without --spec"},
      {{"--exec", "--", "/x"}, "--exec needs --uid and --gid"},
      {{"--exec", "--uid", "7", "--", "/x"}, "--exec needs --uid and --gid"},
      {{"--exec", "--uid", "7", "--gid", "0", "--", "/x"}, "one of uid and gid is 0"},
      {{"--exec", "--uid", "-7", "--gid", "8", "--", "/x"}, "--uid does not take -7"},
      {{"--exec", "--uid", "7x", "--gid", "8", "--", "/x"}, "--uid does not take 7x"},
      {{"--exec", "--uid", "7", "--gid", "8"}, "--exec needs a command after --"},
  }));
  CAPTURE(arguments);
  const Parsed<Options> options = ParseOptions(arguments);
  CHECK_FALSE(options.value);
  CHECK(options.error == error);
}

}  // namespace
}  // namespace trove::keeper
