#include "tools/trovectl/commands/instance_text.h"

#include <cstdio>

#include <absl/time/clock.h>

#include "tools/trovectl/commands/operation_text.h"
#include "tools/trovectl/commands/words.h"

namespace trove::trovectl {
namespace {

std::string VolumeText(const v1::Instance::Volume& volume) {
  std::string text = std::to_string(volume.size_gib()) + " GiB";
  if (volume.used_gib() <= 0) return text;
  char used[64];
  std::snprintf(
      used, sizeof(used), " (%.2f GiB used, %.1f %%)", volume.used_gib(), volume.used_percent());
  return text + used;
}

}  // namespace

std::string AddressText(const v1::Instance& instance) {
  if (instance.addresses().empty()) return "";
  return instance.addresses(0).address() + ":" + std::to_string(instance.addresses(0).port());
}

std::vector<std::pair<std::string, std::string>> InstanceFields(const v1::Instance& instance,
                                                                absl::Time now) {
  const v1::Instance::Reason& reason = instance.reason();
  std::string configuration = instance.configuration_name();
  if (!instance.configuration_id().empty())
    configuration += (configuration.empty() ? "" : " ") + instance.configuration_id();
  return {{"id", instance.id()},
          {"name", instance.name()},
          {"status", StatusWord(instance.status())},
          {"step", reason.step()},
          {"waiting for", reason.waiting_for()},
          {"since", SinceText(reason.since(), now)},
          {"last error", reason.last_error()},
          {"help", reason.help()},
          {"fault", instance.fault().message()},
          {"fault since", SinceText(instance.fault().created_at(), now)},
          {"operating status", OperatingWord(instance.operating_status())},
          {"datastore", instance.datastore_name() + " " + instance.version_name()},
          {"flavor", instance.flavor_id()},
          {"volume", VolumeText(instance.volume())},
          {"configuration", configuration},
          {"address", AddressText(instance)},
          {"connection uri", instance.connection_uri()},
          {"project", instance.project_id()},
          {"operation", instance.operation_id()},
          {"created", TimeText(instance.created_at())},
          {"updated", TimeText(instance.updated_at())}};
}

void PrintInstance(const v1::Instance& instance, const Session& session) {
  if (session.json()) {
    PrintJson({&instance}, false);
  } else {
    PrintFields(InstanceFields(instance, absl::Now()));
  }
}

void PrintPlan(const v1::Instance& instance, const Session& session) {
  if (session.json()) {
    PrintJson({&instance.plan()}, false);
    return;
  }
  std::printf("%s would do this. Nothing was changed.\n\n", instance.plan().kind().c_str());
  PrintTable(PlanHeadings(), PlanRows(instance.plan()));
  std::printf("\n");
  for (const std::string& remark : PlanRemarks(instance.plan()))
    std::printf("%s\n", remark.c_str());
}

}  // namespace trove::trovectl
