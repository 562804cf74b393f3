#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "libtrove/base/subprocess.h"
#include "test/support/temporary_directory.h"
#include "tools/trovectl/launch/layout.h"
#include "tools/trovectl/launch/process.h"
#include "tools/trovectl/launch/settings.h"

namespace trove::trovectl {

/// What `trovectl` with these arguments answers. A detached mesh lives on.
ProgramResult RunTrovectl(const std::vector<std::string>& arguments,
                          const std::vector<std::string>& environment = {});

/// A data directory of a test's own. The destructor removes the mesh in it, instances included.
class TestDirectory {
 public:
  TestDirectory();
  ~TestDirectory();
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  /// `trovectl up --detach` with these arguments, on free ports unless they say which.
  ProgramResult Up(const std::vector<std::string>& more = {}) const;
  ProgramResult Down(const std::vector<std::string>& more = {}) const;
  ProgramResult Status() const;

  /// The process that the launcher has noted for `program`; pid 0 when there is none.
  ProcessMark Process(const std::string& program) const;
  ProcessMark Launcher() const;

  /// Whether every process of the control plane serves.
  bool Serves() const;

  /// What client.env says. Requires a mesh that was up.
  ClientEnvironment Client() const;

  /// `trovectl` as a client of this mesh.
  ProgramResult Ask(const std::vector<std::string>& arguments) const;

  Layout layout;

 private:
  TemporaryDirectory folder_;
};

}  // namespace trove::trovectl
