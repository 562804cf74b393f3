#include "libtrove/model/manifest.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <exception>
#include <set>
#include <system_error>

#include <yaml-cpp/yaml.h>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"

namespace trove {
namespace {

std::string Lower(std::string text) {
  std::transform(
      text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

absl::Status CheckKeys(const YAML::Node& node,
                       const std::string& where,
                       const std::set<std::string>& known) {
  for (const auto& item : node) {
    const auto key = item.first.as<std::string>();
    if (!known.contains(key))
      return absl::InvalidArgumentError(where + " has an unknown key: " + key);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Text(const YAML::Node& node,
                                 const std::string& where,
                                 const std::string& key) {
  if (!node[key] || !node[key].IsScalar() || node[key].Scalar().empty()) {
    return absl::InvalidArgumentError(where + " needs a text: " + key);
  }
  return node[key].Scalar();
}

absl::StatusOr<NameRule> ReadRule(const YAML::Node& node, const std::string& where) {
  NameRule rule;
  TROVE_RETURN_IF_ERROR(
      CheckKeys(node, where, {"min_length", "max_length", "forbidden", "reserved"}));
  if (node["min_length"]) rule.min_length = node["min_length"].as<int>();
  if (node["max_length"]) rule.max_length = node["max_length"].as<int>();
  if (node["forbidden"]) rule.forbidden = node["forbidden"].as<std::string>();
  for (const YAML::Node& name : node["reserved"])
    rule.reserved.push_back(name.as<std::string>());
  return rule;
}

absl::StatusOr<DatastoreVersion> ReadVersion(const YAML::Node& node,
                                             const std::string& where,
                                             const Datastore& datastore,
                                             const std::string& agent) {
  TROVE_RETURN_IF_ERROR(CheckKeys(node, where, {"name", "number", "active"}));
  DatastoreVersion version;
  version.datastore_id = datastore.id;
  version.datastore_name = datastore.name;
  version.agent = agent;
  TROVE_ASSIGN_OR_RETURN(version.name, Text(node, where, "name"));
  TROVE_ASSIGN_OR_RETURN(version.number, Text(node, where, "number"));
  if (node["active"]) version.active = node["active"].as<bool>();
  version.id = VersionIdOf(datastore.name, version.name, version.number);
  return version;
}

absl::Status ReadVersions(const YAML::Node& root, const std::string& where, Manifest& manifest) {
  TROVE_ASSIGN_OR_RETURN(const std::string agent, Text(root, where, "agent"));
  Datastore& datastore = manifest.datastore;
  for (const YAML::Node& node : root["versions"]) {
    TROVE_ASSIGN_OR_RETURN(DatastoreVersion version,
                           ReadVersion(node, where + " versions", datastore, agent));
    datastore.versions.push_back(std::move(version));
  }
  if (datastore.versions.empty()) return absl::InvalidArgumentError(where + " has no versions");
  std::sort(datastore.versions.begin(), datastore.versions.end(), [](const auto& a, const auto& b) {
    return a.name < b.name;
  });
  TROVE_ASSIGN_OR_RETURN(const std::string preferred, Text(root, where, "default_version"));
  for (const DatastoreVersion& version : datastore.versions) {
    if (version.name == preferred) datastore.default_version_id = version.id;
  }
  if (datastore.default_version_id.empty()) {
    return absl::InvalidArgumentError(where +
                                      " default_version is none of its versions: " + preferred);
  }
  return absl::OkStatus();
}

absl::StatusOr<Manifest> Parse(const YAML::Node& root, const std::string& where) {
  TROVE_RETURN_IF_ERROR(CheckKeys(root,
                                  where,
                                  {"datastore",
                                   "agent",
                                   "default_version",
                                   "versions",
                                   "connection_scheme",
                                   "client_program",
                                   "database_names",
                                   "user_names",
                                   "capabilities"}));
  Manifest manifest;
  TROVE_ASSIGN_OR_RETURN(manifest.datastore.name, Text(root, where, "datastore"));
  manifest.datastore.id = DatastoreIdOf(manifest.datastore.name);
  TROVE_RETURN_IF_ERROR(ReadVersions(root, where, manifest));
  TROVE_ASSIGN_OR_RETURN(manifest.connection_scheme, Text(root, where, "connection_scheme"));
  TROVE_ASSIGN_OR_RETURN(manifest.client_program, Text(root, where, "client_program"));
  TROVE_ASSIGN_OR_RETURN(manifest.database_names,
                         ReadRule(root["database_names"], where + " database_names"));
  TROVE_ASSIGN_OR_RETURN(manifest.user_names, ReadRule(root["user_names"], where + " user_names"));
  for (const YAML::Node& capability : root["capabilities"]) {
    manifest.capabilities.push_back(capability.as<std::string>());
  }
  return manifest;
}

// Characters, not bytes: continuation bytes of UTF-8 do not count.
std::ptrdiff_t CharacterCount(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  });
}

}  // namespace

absl::StatusOr<Manifest> LoadManifest(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error))
    return absl::NotFoundError("no manifest " + file.string());
  try {
    return Parse(YAML::LoadFile(file.string()), file.string() + ":");
  } catch (const std::exception& failure) {
    return absl::InvalidArgumentError(file.string() + ": " + failure.what());
  }
}

absl::StatusOr<std::vector<Manifest>> LoadManifests(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::filesystem::path file = entry.path() / "manifest.yaml";
    if (std::filesystem::exists(file, error)) files.push_back(file);
  }
  if (files.empty()) return absl::NotFoundError("no datastore manifests in " + folder.string());
  std::sort(files.begin(), files.end());
  std::vector<Manifest> manifests;
  for (const std::filesystem::path& file : files) {
    TROVE_ASSIGN_OR_RETURN(Manifest manifest, LoadManifest(file));
    manifests.push_back(std::move(manifest));
  }
  return manifests;
}

VersionId VersionIdOf(const std::string& datastore,
                      const std::string& name,
                      const std::string& number) {
  return VersionId(NamedUuid("version/" + datastore + "/" + name + "/" + number));
}

DatastoreId DatastoreIdOf(const std::string& datastore) {
  return DatastoreId(NamedUuid("datastore/" + datastore));
}

absl::Status CheckRule(const NameRule& rule, const std::string& field, const std::string& name) {
  const std::ptrdiff_t length = CharacterCount(name);
  if (length < rule.min_length || length > rule.max_length) {
    return FieldError(field,
                      "must have " + std::to_string(rule.min_length) + " to " +
                          std::to_string(rule.max_length) + " characters, and has " +
                          std::to_string(length));
  }
  if (name.front() == ' ' || name.back() == ' ')
    return FieldError(field, "must not begin or end with a blank");
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return FieldError(field, "must not have control characters");
    if (rule.forbidden.find(c) != std::string::npos) {
      return FieldError(field, std::string("must not have the character ") + c);
    }
  }
  const auto same = [&](const std::string& reserved) {
    return Lower(reserved) == Lower(name);
  };
  if (std::any_of(rule.reserved.begin(), rule.reserved.end(), same)) {
    return FieldError(field, name + " is reserved: choose another name");
  }
  return absl::OkStatus();
}

std::vector<Flavor> DefaultFlavors() {
  return {
      {FlavorId("1"), "db.tiny", 512, 1, 0, 0},
      {FlavorId("2"), "db.small", 2048, 1, 0, 0},
      {FlavorId("3"), "db.medium", 4096, 2, 0, 0},
      {FlavorId("4"), "db.large", 8192, 4, 0, 0},
  };
}

}  // namespace trove
