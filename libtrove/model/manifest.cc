#include "libtrove/model/manifest.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <exception>
#include <set>
#include <system_error>
#include <utility>

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

absl::StatusOr<double> Number(const YAML::Node& node,
                              const std::string& where,
                              const std::string& key) {
  double number = 0;
  if (!YAML::convert<double>::decode(node[key], number))
    return absl::InvalidArgumentError(where + " needs a number: " + key);
  return number;
}

absl::StatusOr<bool> Flag(const YAML::Node& node,
                          const std::string& where,
                          const std::string& key) {
  bool flag = false;
  if (!YAML::convert<bool>::decode(node[key], flag))
    return absl::InvalidArgumentError(where + " needs true or false: " + key);
  return flag;
}

absl::StatusOr<NameRule> ReadRule(const YAML::Node& node, const std::string& where) {
  NameRule rule;
  if (!node.IsDefined()) return rule;
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
  TROVE_RETURN_IF_ERROR(CheckKeys(node, where, {"name", "number", "engine", "active"}));
  DatastoreVersion version;
  version.datastore_id = datastore.id;
  version.datastore_name = datastore.name;
  version.agent = agent;
  TROVE_ASSIGN_OR_RETURN(version.name, Text(node, where, "name"));
  TROVE_ASSIGN_OR_RETURN(version.number, Text(node, where, "number"));
  if (node["engine"]) {
    TROVE_ASSIGN_OR_RETURN(version.engine, Text(node, where, "engine"));
    if (!std::filesystem::path(version.engine).is_absolute()) {
      return absl::InvalidArgumentError(where + " engine must be the whole path of a folder, not " +
                                        version.engine);
    }
  }
  if (node["active"]) {
    TROVE_ASSIGN_OR_RETURN(version.active, Flag(node, where, "active"));
  }
  version.id = VersionIdOf(datastore.name, version.name, version.number);
  return version;
}

bool ByName(const DatastoreVersion& one, const DatastoreVersion& other) {
  return std::pair(one.name, one.number) < std::pair(other.name, other.number);
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
  std::sort(datastore.versions.begin(), datastore.versions.end(), ByName);
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

absl::StatusOr<ParameterRule::Type> ReadType(const YAML::Node& node, const std::string& where) {
  TROVE_ASSIGN_OR_RETURN(const std::string word, Text(node, where, "type"));
  if (word == "integer") return ParameterRule::Type::kInteger;
  if (word == "float") return ParameterRule::Type::kFloat;
  if (word == "text") return ParameterRule::Type::kText;
  if (word == "boolean") return ParameterRule::Type::kBoolean;
  return absl::InvalidArgumentError(where + " type must be integer, float, text or boolean, not " +
                                    word);
}

absl::StatusOr<ParameterRule> ReadParameter(const YAML::Node& node, const std::string& list) {
  ParameterRule rule;
  TROVE_ASSIGN_OR_RETURN(rule.name, Text(node, list, "name"));
  const std::string where = list + " " + rule.name;
  if (Lower(rule.name) != rule.name)
    return absl::InvalidArgumentError(where + " name must be in lower case");
  for (const auto& item : node) {
    const std::string& key = item.first.Scalar();
    if (key == "type") {
      TROVE_ASSIGN_OR_RETURN(rule.type, ReadType(node, where));
    } else if (key == "min") {
      TROVE_ASSIGN_OR_RETURN(rule.minimum, Number(node, where, key));
    } else if (key == "max") {
      TROVE_ASSIGN_OR_RETURN(rule.maximum, Number(node, where, key));
    } else if (key == "choices") {
      for (const YAML::Node& choice : item.second)
        rule.choices.push_back(choice.Scalar());
    } else if (key == "several") {
      TROVE_ASSIGN_OR_RETURN(rule.several, Flag(node, where, key));
    } else if (key == "restart") {
      TROVE_ASSIGN_OR_RETURN(rule.restart_required, Flag(node, where, key));
    } else if (key != "name") {
      return absl::InvalidArgumentError(where + " has an unknown key: " + key);
    }
  }
  if (!node["type"]) return absl::InvalidArgumentError(where + " needs a text: type");
  return rule;
}

absl::Status ReadParameters(const YAML::Node& root, const std::string& where, Manifest& manifest) {
  for (const YAML::Node& node : root["parameters"]) {
    TROVE_ASSIGN_OR_RETURN(ParameterRule rule, ReadParameter(node, where + " parameters"));
    manifest.parameters.push_back(std::move(rule));
  }
  std::vector<ParameterRule>& rules = manifest.parameters;
  std::sort(
      rules.begin(), rules.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(
      rules.begin(), rules.end(), [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twice == rules.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(where + " parameters has " + twice->name + " twice");
}

// Versions that an operator has installed, added to the datastore that they are of.
absl::Status AddVersions(const YAML::Node& root,
                         const std::string& where,
                         std::vector<Manifest>& manifests) {
  if (!root.IsMap()) return absl::InvalidArgumentError(where + " needs a text: datastore");
  TROVE_RETURN_IF_ERROR(CheckKeys(root, where, {"datastore", "versions"}));
  TROVE_ASSIGN_OR_RETURN(const std::string name, Text(root, where, "datastore"));
  const auto manifest = std::find_if(manifests.begin(), manifests.end(), [&](const Manifest& each) {
    return each.datastore.name == name;
  });
  if (manifest == manifests.end())
    return absl::InvalidArgumentError(where + " datastore is none that is known: " + name);
  const YAML::Node versions = root["versions"];
  if (!versions.IsDefined() || !versions.IsSequence() || versions.size() == 0)
    return absl::InvalidArgumentError(where + " needs a list: versions");
  Datastore& datastore = manifest->datastore;
  const std::string agent = datastore.versions.front().agent;
  for (const YAML::Node& node : versions) {
    TROVE_ASSIGN_OR_RETURN(DatastoreVersion version,
                           ReadVersion(node, where + " versions", datastore, agent));
    for (const DatastoreVersion& known : datastore.versions) {
      if (known.id != version.id) continue;
      return absl::InvalidArgumentError(where + " versions: " + name + " " + version.name + " (" +
                                        version.number + ") is there already");
    }
    datastore.versions.push_back(std::move(version));
  }
  std::sort(datastore.versions.begin(), datastore.versions.end(), ByName);
  return absl::OkStatus();
}

absl::Status AddVersionsOf(const std::filesystem::path& folder, std::vector<Manifest>& manifests) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().extension() == ".yaml") files.push_back(at->path());
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    try {
      TROVE_RETURN_IF_ERROR(
          AddVersions(YAML::LoadFile(file.string()), file.string() + ":", manifests));
    } catch (const std::exception& failure) {
      return absl::InvalidArgumentError(file.string() + ": " + failure.what());
    }
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
                                   "capabilities",
                                   "parameters"}));
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
  TROVE_RETURN_IF_ERROR(ReadParameters(root, where, manifest));
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

absl::StatusOr<std::vector<Manifest>> LoadManifests(const std::filesystem::path& folder,
                                                    const std::filesystem::path& additions) {
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
  if (!additions.empty()) TROVE_RETURN_IF_ERROR(AddVersionsOf(additions, manifests));
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
