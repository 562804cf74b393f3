#include "libtrove/store/sqlite/catalogue.h"

#include <string>
#include <utility>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/rows.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

// What an operator has edited or deleted stays: the marker is part of each condition.

absl::Status ImportVersion(Transaction& tx,
                           const Datastore& datastore,
                           const DatastoreVersion& version) {
  return Run(
      tx.db,
      "INSERT INTO datastore_versions (id, datastore_id, name, number, agent, engine, active) "
      "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
      "name = excluded.name, number = excluded.number, agent = excluded.agent, "
      "engine = excluded.engine, active = excluded.active WHERE edited = 0 AND deleted = 0",
      version.id,
      datastore.id,
      version.name,
      version.number,
      version.agent,
      version.engine,
      version.active);
}

absl::Status ImportDatastore(Transaction& tx, const Datastore& datastore) {
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "INSERT INTO datastores (id, name, default_version_id) VALUES (?, ?, ?) "
          "ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
          "default_version_id = excluded.default_version_id WHERE edited = 0 AND deleted = 0",
          datastore.id,
          datastore.name,
          datastore.default_version_id));
  for (const DatastoreVersion& version : datastore.versions)
    TROVE_RETURN_IF_ERROR(ImportVersion(tx, datastore, version));
  return absl::OkStatus();
}

absl::Status ImportFlavor(Transaction& tx, const Flavor& flavor) {
  return Run(tx.db,
             "INSERT INTO flavors (id, name, ram_mib, vcpus, disk_gib, ephemeral_gib) "
             "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
             "ram_mib = excluded.ram_mib, vcpus = excluded.vcpus, disk_gib = excluded.disk_gib, "
             "ephemeral_gib = excluded.ephemeral_gib WHERE edited = 0 AND deleted = 0",
             flavor.id,
             flavor.name,
             flavor.ram_mib,
             flavor.vcpus,
             flavor.disk_gib,
             flavor.ephemeral_gib);
}

}  // namespace

absl::Status ImportCatalogue(Transaction& tx, const Catalogue& catalogue) {
  for (const Datastore& datastore : catalogue.datastores) {
    if (absl::Status status = ImportDatastore(tx, datastore); !status.ok())
      return Annotate(status, "import datastore " + datastore.name);
  }
  for (const Flavor& flavor : catalogue.flavors)
    TROVE_RETURN_IF_ERROR(ImportFlavor(tx, flavor));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Datastore>> ListDatastores(Transaction& tx) {
  static const std::string kSql = std::string("SELECT d.default_version_id, d.id, d.name, ") +
                                  kVersionColumns +
                                  " FROM datastores d LEFT JOIN datastore_versions v "
                                  "ON v.datastore_id = d.id AND v.deleted = 0 "
                                  "WHERE d.deleted = 0 ORDER BY d.name, v.name, v.number";
  std::vector<Datastore> datastores;
  Statement row(tx.db, kSql);
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return datastores;
    Datastore datastore;
    row.Read(datastore.default_version_id, datastore.id, datastore.name);
    if (datastores.empty() || datastores.back().id != datastore.id)
      datastores.push_back(std::move(datastore));
    if (!row.AtNull()) Read(row, datastores.back().versions.emplace_back());
  }
}

absl::StatusOr<std::vector<Flavor>> ListFlavors(Transaction& tx) {
  // Ids are mostly numbers: 2 comes before 10.
  static const std::string kSql = std::string("SELECT ") + kFlavorColumns +
                                  " FROM flavors f WHERE f.deleted = 0 "
                                  "ORDER BY length(f.id), f.id";
  std::vector<Flavor> flavors;
  Statement row(tx.db, kSql);
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return flavors;
    Read(row, flavors.emplace_back());
  }
}

}  // namespace trove::sqlite
