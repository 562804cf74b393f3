#pragma once

#include <functional>
#include <string>
#include <vector>

#include "test/integration/taskmanager/small_mesh.h"

namespace trove::taskmanager {

/// One moment of an operation at which it can be held.
struct Moment {
  std::string kind;
  std::string step;
  bool cancellable = true;
  std::string method;  ///< of the provisioner, that the step calls; empty: none
  int call = 1;        ///< which call of it, counted from the beginning of the operation
  mesh::v1::Job::KindCase job = mesh::v1::Job::KIND_NOT_SET;  ///< that the step sends
};

/// Every step of every operation on instances that exist, as far as it does anything.
const std::vector<Moment>& EveryMoment();
/// The same for `instance.create`.
const std::vector<Moment>& EveryCreateMoment();

/// Makes the operation wait at a moment until this is destroyed. Make it before the operation
/// begins.
class Hold {
 public:
  Hold(SmallMesh& mesh, const GuestId& guest, const Moment& moment);
  ~Hold();
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

  /// Whether the operation has come there within a test's patience.
  bool Reached();

 private:
  int JobsOfKind() const;

  SmallMesh& mesh_;
  const GuestId guest_;
  const Moment moment_;
  const int calls_before_;
  const int jobs_before_;
};

/// Two groups of parameters that every test's project has.
inline const ConfigurationId kGroup("11111111-2222-4333-8444-555555555555");

/// Makes the group.
void MakeGroup(SmallMesh& mesh);

/// Asks for an operation of this kind, with everything that belongs to it: another flavor, 2 GiB,
/// the group, the newer version.
NewAction ActionOf(const NewInstance& on, const std::string& kind);

}  // namespace trove::taskmanager
