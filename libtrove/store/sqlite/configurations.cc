#include "libtrove/store/sqlite/configurations.h"

#include <string>
#include <utility>

#include <boost/json.hpp>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/audit.h"
#include "libtrove/store/sqlite/events.h"
#include "libtrove/store/sqlite/locks.h"
#include "libtrove/store/sqlite/requests.h"
#include "libtrove/store/sqlite/rows.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

namespace json = boost::json;

// Of configurations `c`; what follows is read by Read.
constexpr char kConfigurationColumns[] =
    "c.id, c.project_id, c.name, c.description, c.version_id, c.created_at, c.updated_at, "
    "(SELECT count(*) FROM instances i WHERE i.configuration_id = c.id)";

void Read(Statement& row, ConfigurationView& view) {
  Configuration& c = view.configuration;
  row.Read(c.id, c.project_id, c.name, c.description, c.version_id, c.created_at, c.updated_at);
  row.Read(view.instance_count);
  Read(row, view.version);
}

// A value is the text of a JSON value and is kept as that text: what was given comes back.
std::string JsonOf(const std::map<std::string, std::string>& values) {
  json::object object;
  for (const auto& [name, value] : values)
    object[name] = value;
  return json::serialize(object);
}

absl::StatusOr<std::map<std::string, std::string>> ValuesOf(const std::string& text) {
  json::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object())
    return absl::DataLossError("store: the values of a configuration group are no JSON object");
  std::map<std::string, std::string> values;
  for (const json::key_value_pair& member : parsed.get_object()) {
    if (!member.value().is_string())
      return absl::DataLossError("store: a value of a configuration group is no text");
    values.emplace(std::string(member.key()), std::string(member.value().get_string()));
  }
  return values;
}

absl::Status NotFound(const ConfigurationId& id) {
  return MakeError(Reason::kConfigurationNotFound,
                   "configuration group " + id.value() + " cannot be found");
}

// The group as it was when it was made, for whoever asks again when it has been deleted since.
std::string AnswerOf(const ConfigurationView& view) {
  const Configuration& c = view.configuration;
  json::object kept;
  kept["id"] = c.id.value();
  kept["project_id"] = c.project_id.value();
  kept["name"] = c.name;
  kept["description"] = c.description;
  kept["version_id"] = c.version_id.value();
  kept["values"] = JsonOf(c.values);
  kept["created_at"] = StoredTime(c.created_at);
  return json::serialize(kept);
}

absl::Status ReadVersion(Transaction& tx, const VersionId& id, DatastoreVersion& version) {
  static const std::string kSql = std::string("SELECT ") + kVersionColumns +
                                  " FROM datastore_versions v JOIN datastores d "
                                  "ON d.id = v.datastore_id WHERE v.id = ? AND v.deleted = 0";
  Statement row(tx.db, kSql, id);
  TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) {
    return MakeError(Reason::kVersionNotFound,
                     "datastore version " + id.value() + " cannot be found");
  }
  Read(row, version);
  return absl::OkStatus();
}

absl::StatusOr<ConfigurationView> FirstAnswer(Transaction& tx, const std::string& answer) {
  json::error_code error;
  const json::value parsed = json::parse(answer, error);
  if (error || !parsed.is_object())
    return absl::DataLossError("store: the answer kept with a request is no JSON object");
  const json::object& kept = parsed.get_object();
  const auto text = [&](const char* name) {
    const json::value* const member = kept.if_contains(name);
    return member != nullptr && member->is_string() ? std::string(member->get_string())
                                                    : std::string();
  };
  ConfigurationView view;
  Configuration& c = view.configuration;
  c.id = ConfigurationId(text("id"));
  c.project_id = ProjectId(text("project_id"));
  c.name = text("name");
  c.description = text("description");
  c.version_id = VersionId(text("version_id"));
  TROVE_ASSIGN_OR_RETURN(c.values, ValuesOf(text("values")));
  if (const json::value* const at = kept.if_contains("created_at"); at != nullptr && at->is_int64())
    c.created_at = TimeOf(at->get_int64());
  c.updated_at = c.created_at;
  const absl::Status version = ReadVersion(tx, c.version_id, view.version);
  if (!version.ok() && !absl::IsNotFound(version)) return version;
  return view;
}

absl::StatusOr<ConfigurationView> RepeatCreate(Transaction& tx,
                                               const Requester& requester,
                                               const AcceptedRequest& earlier) {
  TROVE_RETURN_IF_ERROR(AuditAccepted(
      tx, requester, {"CreateConfiguration", earlier.resource, {}, /*repeated=*/true}));
  return FirstAnswer(tx, earlier.answer);
}

}  // namespace

absl::StatusOr<ConfigurationView> CreateConfiguration(Transaction& tx,
                                                      const Requester& requester,
                                                      const Configuration& configuration) {
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  if (earlier) return RepeatCreate(tx, requester, *earlier);
  ConfigurationView view;
  view.configuration = configuration;
  Configuration& c = view.configuration;
  c.created_at = tx.now;
  c.updated_at = tx.now;
  TROVE_RETURN_IF_ERROR(ReadVersion(tx, c.version_id, view.version));
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "INSERT INTO configurations (id, project_id, name, description, "
                            "version_id, \"values\", created_at, updated_at) "
                            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
                            c.id,
                            c.project_id,
                            c.name,
                            c.description,
                            c.version_id,
                            JsonOf(c.values),
                            tx.now));
  TROVE_RETURN_IF_ERROR(
      ConfigurationEvent(tx, "created", {c.id, c.project_id, c.name}, requester.user));
  TROVE_RETURN_IF_ERROR(SaveRequest(tx, requester, {{}, {}, ResourceOf(c.id), AnswerOf(view)}));
  TROVE_RETURN_IF_ERROR(AuditAccepted(
      tx, requester, {"CreateConfiguration", ResourceOf(c.id), {}, /*repeated=*/false}));
  return view;
}

absl::StatusOr<ConfigurationView> GetConfiguration(Transaction& tx,
                                                   const std::optional<ProjectId>& project,
                                                   const ConfigurationId& id) {
  static const std::string kSql = std::string("SELECT c.\"values\", ") + kConfigurationColumns +
                                  ", " + kVersionColumns +
                                  " FROM configurations c "
                                  "LEFT JOIN datastore_versions v ON v.id = c.version_id "
                                  "LEFT JOIN datastores d ON d.id = v.datastore_id "
                                  "WHERE c.id = ?1 AND (?2 IS NULL OR c.project_id = ?2)";
  Statement row(tx.db, kSql, id, project);
  TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return NotFound(id);
  ConfigurationView view;
  std::string values;
  row.Read(values);
  Read(row, view);
  TROVE_ASSIGN_OR_RETURN(view.configuration.values, ValuesOf(values));
  return view;
}

absl::StatusOr<ConfigurationPage> ListConfigurations(Transaction& tx,
                                                     const ProjectId& project,
                                                     const ConfigurationId& after,
                                                     int limit) {
  static const std::string kSql = std::string("SELECT ") + kConfigurationColumns + ", " +
                                  kVersionColumns +
                                  " FROM configurations c "
                                  "LEFT JOIN datastore_versions v ON v.id = c.version_id "
                                  "LEFT JOIN datastores d ON d.id = v.datastore_id "
                                  "WHERE c.project_id = ? AND c.id > ? ORDER BY c.id LIMIT ?";
  ConfigurationPage page;
  Statement row(tx.db, kSql, project, after, limit + 1);
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return page;
    if (static_cast<int>(page.configurations.size()) == limit) {
      page.more = true;
      return page;
    }
    Read(row, page.configurations.emplace_back());
  }
}

absl::Status DeleteConfiguration(Transaction& tx,
                                 const Requester& requester,
                                 const ConfigurationId& id) {
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  Acceptance acceptance{"DeleteConfiguration", ResourceOf(id), {}, earlier.has_value()};
  if (earlier) return AuditAccepted(tx, requester, acceptance);
  std::optional<ProjectId> scope;
  if (!requester.admin) scope = requester.project_id;
  TROVE_ASSIGN_OR_RETURN(const ConfigurationView view, GetConfiguration(tx, scope, id));
  TROVE_ASSIGN_OR_RETURN(const std::optional<Holder> holder, FindHolder(tx, ResourceOf(id)));
  if (holder) return HeldBy(*holder, ResourceOf(id));
  if (view.instance_count > 0) {
    return MakeError(Reason::kConfigurationInUse,
                     "configuration group " + id.value() + " is used by " +
                         std::to_string(view.instance_count) +
                         " instance(s): detach it from them first");
  }
  TROVE_RETURN_IF_ERROR(Run(tx.db, "DELETE FROM configurations WHERE id = ?", id));
  const Configuration& c = view.configuration;
  TROVE_RETURN_IF_ERROR(
      ConfigurationEvent(tx, "deleted", {c.id, c.project_id, c.name}, requester.user));
  TROVE_RETURN_IF_ERROR(SaveRequest(tx, requester, {{}, {}, acceptance.resource, {}}));
  return AuditAccepted(tx, requester, acceptance);
}

absl::Status AttachEvent(Transaction& tx,
                         std::string_view type,
                         const Attachment& attachment,
                         std::string_view user) {
  std::string name;
  {
    Statement row(tx.db,
                  "SELECT name FROM configurations WHERE id = ? AND project_id = ?",
                  attachment.id,
                  attachment.project_id);
    TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return NotFound(attachment.id);
    row.Read(name);
  }
  return ConfigurationEvent(
      tx, type, {attachment.id, attachment.project_id, name, &attachment.instance_id}, user);
}

}  // namespace trove::sqlite
