#pragma once

#include <functional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace trove {

/// Fills a configuration struct from, in rising order of weight: its defaults, the `common` and
/// then the service's own section of a YAML file, TROVE_<SERVICE>_<KEY> in the environment, and
/// --key flags. Keys are lower-case words joined by `_` (units at the end: heartbeat_timeout_ms);
/// as a flag `_` is written `-`.
///
///   ConfigLoader loader("api", "the public gRPC API");
///   loader.Add("listen", &config.listen, "host:port of the mesh listener");
///   TROVE_ASSIGN_OR_RETURN(const bool run, loader.Load(argc, argv));
class ConfigLoader {
 public:
  ConfigLoader(std::string service, std::string description);

  /// `field` holds the default and must outlive Load.
  void Add(std::string key, std::string* field, std::string help);
  void Add(std::string key, int* field, std::string help);
  void Add(std::string key, bool* field, std::string help);
  void Add(std::string key,
           std::vector<std::string>* field,
           std::string help);  ///< comma-separated outside YAML

  /// Reads everything. False: --help or --print-config was asked for and printed, and there is
  /// nothing to run. Errors: kInvalidArgument: an unknown key in the service's section, an unknown
  /// flag, or a value that is absent or of the wrong type; kNotFound: the file named by --config or
  /// TROVE_<SERVICE>_CONFIG is missing. An unknown variable TROVE_<SERVICE>_… is no error: others
  /// set such names too (Kubernetes, for a Service called trove-api).
  absl::StatusOr<bool> Load(int argc, const char* const* argv);

 private:
  struct Entry {
    std::string key;
    std::string help;
    std::function<absl::Status(const std::string&)> set;
    std::function<std::string()> get;
  };

  absl::Status Set(const Entry& entry, const std::string& text, const std::string& origin) const;
  absl::Status ReadYaml(const std::string& path) const;
  absl::Status ReadEnvironment() const;
  const Entry* Find(const std::string& key) const;

  std::string service_;
  std::string description_;
  std::vector<Entry> entries_;
};

}  // namespace trove
