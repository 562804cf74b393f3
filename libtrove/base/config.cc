#include "libtrove/base/config.h"

#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include <CLI/CLI.hpp>
#include <yaml-cpp/yaml.h>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"

namespace trove {
namespace {

std::string Replace(std::string text, char from, char to) {
  for (char& c : text) {
    if (c == from) c = to;
  }
  return text;
}

std::string Upper(std::string text) {
  for (char& c : text)
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string Join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : ",") + word;
  return text;
}

// The text of a plain value, or of a list of plain values joined by commas.
absl::StatusOr<std::string> TextOf(const YAML::Node& node) {
  if (node.IsScalar()) return node.Scalar();
  if (!node.IsSequence()) return absl::InvalidArgumentError("must be a value or a list of values");
  std::vector<std::string> words;
  for (const YAML::Node& word : node) {
    if (!word.IsScalar()) return absl::InvalidArgumentError("must be a list of plain values");
    words.push_back(word.Scalar());
  }
  return Join(words);
}

}  // namespace

ConfigLoader::ConfigLoader(std::string service, std::string description)
    : service_(std::move(service)), description_(std::move(description)) {}

void ConfigLoader::Add(std::string key, std::string* field, std::string help) {
  entries_.push_back({std::move(key),
                      std::move(help),
                      [field](const std::string& text) {
                        *field = text;
                        return absl::OkStatus();
                      },
                      [field] {
                        return *field;
                      }});
}

void ConfigLoader::Add(std::string key, int* field, std::string help) {
  entries_.push_back({std::move(key),
                      std::move(help),
                      [field](const std::string& text) {
                        int value = 0;
                        const auto [end, error] =
                            std::from_chars(text.data(), text.data() + text.size(), value);
                        if (error != std::errc() || end != text.data() + text.size()) {
                          return absl::InvalidArgumentError("must be a whole number");
                        }
                        *field = value;
                        return absl::OkStatus();
                      },
                      [field] {
                        return std::to_string(*field);
                      }});
}

void ConfigLoader::Add(std::string key, bool* field, std::string help) {
  entries_.push_back({std::move(key),
                      std::move(help),
                      [field](const std::string& text) {
                        if (text != "true" && text != "false")
                          return absl::InvalidArgumentError("must be true or false");
                        *field = text == "true";
                        return absl::OkStatus();
                      },
                      [field] {
                        return std::string(*field ? "true" : "false");
                      }});
}

void ConfigLoader::Add(std::string key, std::vector<std::string>* field, std::string help) {
  entries_.push_back({std::move(key),
                      std::move(help),
                      [field](const std::string& text) {
                        field->clear();
                        std::istringstream words(text);
                        for (std::string word; std::getline(words, word, ',');) {
                          if (!word.empty()) field->push_back(word);
                        }
                        return absl::OkStatus();
                      },
                      [field] {
                        return Join(*field);
                      }});
}

const ConfigLoader::Entry* ConfigLoader::Find(const std::string& key) const {
  for (const Entry& entry : entries_) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

absl::Status ConfigLoader::Set(const Entry& entry,
                               const std::string& text,
                               const std::string& origin) const {
  return Annotate(entry.set(text), origin + " (" + text + ")");
}

absl::Status ConfigLoader::ReadYaml(const std::string& path) const {
  TROVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsNull() && !root.IsMap())
      return absl::InvalidArgumentError(path + ": must be a map of sections");
    for (const std::string& section : {std::string("common"), service_}) {
      const YAML::Node settings = root[section];
      if (!settings.IsDefined() || settings.IsNull()) continue;
      if (!settings.IsMap())
        return absl::InvalidArgumentError(path + ": " + section + " must be a map of settings");
      for (const auto& item : settings) {
        const auto key = item.first.as<std::string>();
        const std::string origin = path + ": " + section + "." + key;
        if (const Entry* entry = Find(key)) {
          const absl::StatusOr<std::string> value = TextOf(item.second);
          if (!value.ok()) return Annotate(value.status(), origin);
          TROVE_RETURN_IF_ERROR(Set(*entry, *value, origin));
        } else if (section == service_) {
          return absl::InvalidArgumentError(origin + ": there is no such setting");
        }
      }
    }
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(path + ": " + error.what());
  }
  return absl::OkStatus();
}

absl::Status ConfigLoader::ReadEnvironment() const {
  for (const Entry& entry : entries_) {
    const std::string name = "TROVE_" + Upper(service_) + "_" + Upper(entry.key);
    if (const char* text = std::getenv(name.c_str())) {
      TROVE_RETURN_IF_ERROR(Set(entry, text, name));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> ConfigLoader::Load(int argc, const char* const* argv) {
  CLI::App app(description_, "trove-" + service_);
  std::string file;
  bool print = false;
  const std::string file_variable = "TROVE_" + Upper(service_) + "_CONFIG";
  app.add_option(
      "--config", file, "YAML file with the settings of all services (or " + file_variable + ")");
  app.add_flag("--print-config", print, "print every setting as it would be used, and stop");
  std::map<std::string, std::string> flags;
  for (const Entry& entry : entries_) {
    app.add_option_function<std::string>(
           "--" + Replace(entry.key, '_', '-'),
           [&flags, key = entry.key](const std::string& text) { flags[key] = text; },
           entry.help)
        ->default_str(entry.get());
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return false;
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }

  if (const char* path = std::getenv(file_variable.c_str()); file.empty() && path != nullptr)
    file = path;
  if (!file.empty()) TROVE_RETURN_IF_ERROR(ReadYaml(file));
  TROVE_RETURN_IF_ERROR(ReadEnvironment());
  for (const auto& [key, text] : flags) {
    TROVE_RETURN_IF_ERROR(Set(*Find(key), text, "--" + Replace(key, '_', '-')));
  }
  if (print) {
    YAML::Emitter out;
    out << YAML::BeginMap << YAML::Key << service_ << YAML::Value << YAML::BeginMap;
    for (const Entry& entry : entries_)
      out << YAML::Key << entry.key << YAML::Value << entry.get();
    out << YAML::EndMap << YAML::EndMap;
    std::printf("%s\n", out.c_str());
    return false;
  }
  return true;
}

}  // namespace trove
