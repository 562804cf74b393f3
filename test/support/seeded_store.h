#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libtrove/base/clock.h"
#include "libtrove/store/records.h"
#include "libtrove/store/sqlite_store.h"
#include "libtrove/store/store.h"

namespace trove {

/// A store in memory with one datastore (`mariadb`, one version `10.11`) and the default flavors.
/// `clock` must outlive it. Aborts when something fails, as no test could go on.
std::unique_ptr<Store> OpenSeededStore(const Clock& clock);

/// The same in the file `path`, for several stores on one file. Makes the file when it is missing.
std::unique_ptr<Store> OpenSeededStore(const std::string& path, const Clock& clock);

/// The same with options of the caller's: check-pointed, as a real mesh's file is, for what is
/// measured.
std::unique_ptr<Store> OpenSeededStore(const SqliteStoreOptions& options);

/// The version that all have.
DatastoreVersion SeededVersion();

/// A new instance of `project` that asks for nothing special and no quota: ids are new. Its
/// operation is of `kind`, without steps and with `input`.
NewInstance NewSeededInstance(const std::string& project,
                              const std::string& kind,
                              std::string input = "");

/// Asks for `kind` on an instance that exists.
NewAction NewSeededAction(const InstanceId& instance, const std::string& kind, TaskStatus task);

/// Who asks, in `project`.
Requester SeededRequester(const std::string& project);

}  // namespace trove
