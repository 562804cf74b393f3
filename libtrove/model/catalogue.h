#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libtrove/base/id.h"

namespace trove {

/// A size of instance.
struct Flavor {
  FlavorId id;
  std::string name;
  std::int64_t ram_mib = 0;
  int vcpus = 0;
  int disk_gib = 0;
  int ephemeral_gib = 0;

  friend bool operator==(const Flavor&, const Flavor&) = default;
};

/// One version of a datastore.
struct DatastoreVersion {
  VersionId id;
  DatastoreId datastore_id;
  std::string datastore_name;
  std::string name;    ///< what people ask for: `10.11`
  std::string number;  ///< exact: `10.11.6`
  std::string agent;   ///< names the guest agent and its manifest: `mariadb`
  std::string engine;  ///< folder that its programs are installed under, as `/opt/mariadb-11.4`;
                       ///< empty: where the system has them
  bool active = true;

  friend bool operator==(const DatastoreVersion&, const DatastoreVersion&) = default;
};

/// A kind of database.
struct Datastore {
  DatastoreId id;
  std::string name;
  VersionId default_version_id;            ///< empty: none
  std::vector<DatastoreVersion> versions;  ///< by name

  friend bool operator==(const Datastore&, const Datastore&) = default;
};

/// What manifests bring into the store.
struct Catalogue {
  std::vector<Datastore> datastores;
  std::vector<Flavor> flavors;
};

}  // namespace trove
