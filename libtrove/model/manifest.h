#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/model/catalogue.h"

namespace trove {

/// Rules for one kind of name inside a database server.
struct NameRule {
  int min_length = 1;     ///< in characters
  int max_length = 64;    ///< in characters
  std::string forbidden;  ///< characters that must not occur
  std::vector<std::string>
      reserved;  ///< names that are the server's or ours, compared without case
};

/// One parameter of a database server that a configuration group may set.
struct ParameterRule {
  enum class Type { kInteger, kFloat, kText, kBoolean };

  std::string name;  ///< lower case, as the server's configuration file spells it
  Type type = Type::kText;
  std::optional<double> minimum;     ///< of a number
  std::optional<double> maximum;     ///< of a number
  std::vector<std::string> choices;  ///< of a text, compared without case; empty: any
  bool several = false;              ///< a text is a list of choices with commas between them
  bool restart_required = false;     ///< takes effect only when the server starts
};

/// What a datastore says of itself: `manifest.yaml` beside its agent. The only place that knows a
/// datastore's names, versions and rules; everything else works on this.
struct Manifest {
  Datastore datastore;
  std::string connection_scheme;  ///< of `connection_uri`: `mysql`
  std::string client_program;     ///< what `trovectl connect` starts: `mariadb`
  NameRule database_names;
  NameRule user_names;
  std::vector<std::string> capabilities;  ///< `databases`, `users`, `restart`, …
  std::vector<ParameterRule> parameters;  ///< by name
};

/// Reads one manifest. Errors: kNotFound; kInvalidArgument: names the file, the key and what is
/// wrong, an unknown key included.
absl::StatusOr<Manifest> LoadManifest(const std::filesystem::path& file);

/// Reads `<folder>/*/manifest.yaml`, by name. No manifest at all is kNotFound. `additions`, when
/// not empty, is a folder that need not exist: each `*.yaml` in it adds versions that an operator
/// has installed (`datastore`, `versions: [{name, number, engine}]`) to a datastore that is known.
absl::StatusOr<std::vector<Manifest>> LoadManifests(const std::filesystem::path& folder,
                                                    const std::filesystem::path& additions = {});

/// The id of a version: the same everywhere for the same datastore, name and number.
VersionId VersionIdOf(const std::string& datastore,
                      const std::string& name,
                      const std::string& number);

/// The id of a datastore: the same everywhere for the same name.
DatastoreId DatastoreIdOf(const std::string& datastore);

/// Checks a name against its rule; a FieldError that names `field` otherwise.
absl::Status CheckRule(const NameRule& rule, const std::string& field, const std::string& name);

/// Checks the parameters of a configuration group, each the JSON text of its value:
/// kConfigurationInvalid with a violation (`values.<name>`) for each one that the datastore does
/// not have or that has a bad value, saying what would be right.
absl::Status CheckParameters(const Manifest& manifest,
                             const std::map<std::string, std::string>& values);

/// The flavors that a new installation begins with: 1 to 4, 512 MiB and 1 vCPU to 8 GiB and 4
/// vCPUs.
std::vector<Flavor> DefaultFlavors();

}  // namespace trove
