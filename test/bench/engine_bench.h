#pragma once

#include <map>
#include <string>
#include <vector>

#include <absl/time/time.h>

namespace trove::taskmanager {

// What trove-bench-engine measures; each prints one line of JSON and returns the exit status.

/// Operations per second through one task manager with a conductor and simulated guests, each on a
/// store object of its own as processes have, in chains: create and delete, or restarts.
int MeasureThroughput(bool restarts, absl::Duration length, int chains, int threads);

/// Memory and CPU of an engine while `count` operations wait.
int MeasureWaiting(int count, absl::Duration length);

/// From kill -9 of one of two processes to when the other runs what it held, `kills` times.
int MeasureTakeover(const std::string& program, int kills);
int RunTakeoverWorker(const std::string& store, const std::string& name);

/// Of this process, in seconds.
double CpuSeconds();
/// Of its threads, by name.
std::map<std::string, double> CpuSecondsByThread();
double Percentile(std::vector<double> values, double share);
/// Of this process, in MB.
double ResidentMb();

}  // namespace trove::taskmanager
