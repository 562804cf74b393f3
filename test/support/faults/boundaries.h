#pragma once

#include <string_view>

namespace trove::faults {

/// A moment between two things that a task manager makes durable or does to its host: before and
/// after each commit that changes an operation or what it acts on, and before and after each call
/// of the provisioner that changes something.
///
/// A test says in the file `plan` of the folder $FAULTS_DIR what shall happen at one of them:
///   `<run> count`           nothing: they are only counted
///   `<run> kill <index>`    the process ends at the boundary of this index, from 0, as by kill -9
///   `<run> stop <index>`    the process is stopped there, as by SIGSTOP
///   `<run> fail <name> <n>` the next n calls of the provisioner's method fail (kUnavailable)
/// Boundaries are counted from 0 for each new `run` (any word), and each is a line of the file
/// `log`:
/// `<run> <index> <label>`. A plan that was carried out is removed first. Thread-safe.
void Reach(std::string_view label);

/// Whether the plan says that this call shall fail.
bool ShallFail(std::string_view method);

}  // namespace trove::faults
