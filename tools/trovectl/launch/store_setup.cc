#include "tools/trovectl/launch/store_setup.h"

#include <utility>
#include <vector>

#include "libtrove/base/call.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/identity/token.h"
#include "libtrove/model/manifest.h"
#include "libtrove/store/migrations.h"
#include "libtrove/store/sqlite_store.h"

namespace trove::trovectl {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(30);

}  // namespace

absl::StatusOr<ClientEnvironment> KeptClient(const Layout& layout) {
  const absl::StatusOr<ClientEnvironment> kept = ReadClientEnvironment(layout);
  ClientEnvironment client;
  if (kept.ok()) {
    client.token = kept->token;
    client.project = kept->project;
    return client;
  }
  if (!absl::IsNotFound(kept.status())) return kept.status();
  client.token = identity::NewTenantToken().Reveal();
  client.project = kAdminProject;
  return client;
}

absl::Status SetUpStore(const Layout& layout,
                        const std::filesystem::path& manifests,
                        const ClientEnvironment& client) {
  const std::string file = layout.StoreFile();
  TROVE_RETURN_IF_ERROR(Annotate(Migrate(file), "make the store " + file));
  TROVE_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, OpenSqliteStore({.path = file}));
  TROVE_ASSIGN_OR_RETURN(std::vector<Manifest> loaded,
                         LoadManifests(manifests, layout.Datastores()));
  Catalogue catalogue;
  for (Manifest& manifest : loaded)
    catalogue.datastores.push_back(std::move(manifest.datastore));
  catalogue.flavors = DefaultFlavors();
  TROVE_RETURN_IF_ERROR(
      Annotate(store->ImportCatalogue(CallFor(kLimit), catalogue), "fill the catalogue"));
  TokenRecord token;
  token.hash = identity::HashToken(Secret(client.token));
  token.project_id = ProjectId(client.project);
  token.user = "admin@" + client.project;
  token.roles = {"admin"};
  return Annotate(store->PutToken(CallFor(kLimit), token), "store the admin's token");
}

}  // namespace trove::trovectl
