#include "libtrove/model/workflow_outline.h"

#include <algorithm>

namespace trove {
namespace {

constexpr bool kThere = false;
constexpr bool kAway = true;  // clients may find the database away
constexpr bool kNoReturn = true;

}  // namespace

const std::vector<WorkflowOutline>& WorkflowOutlines() {
  static const std::vector<WorkflowOutline> outlines = {
      {.kind = "instance.attach",
       .steps = {{"configure", "gives the server the group's parameters"},
                 {"finish", "records the group"}}},
      {.kind = "instance.create",
       .steps = {{"place", "chooses where it runs"},
                 {"volume", "makes the data volume"},
                 {"guest", "starts the guest"},
                 {"connect", "waits for the guest agent"},
                 {"prepare", "makes the server, its databases and its users"},
                 {"finish", "hands it over"}}},
      {.kind = "instance.delete",
       .cancellable = false,
       .steps = {{"stop", "stops the server", kAway},
                 {"guest", "removes the guest"},
                 {"volume", "removes the data"},
                 {"release", "gives back port and user"},
                 {"bury", "removes the record"}}},
      {.kind = "instance.detach",
       .steps = {{"configure", "gives the server its default parameters"},
                 {"finish", "records that there is no group"}}},
      {.kind = "instance.grow",
       .steps = {{"volume", "makes the volume larger", kThere, kNoReturn},
                 {"guest", "tells the guest"},
                 {"finish", "records the size"}}},
      {.kind = "instance.rebuild",
       .steps = {{"stop", "stops the server", kAway, kNoReturn},
                 {"reset", "removes everything but the data", kAway},
                 {"guest", "starts a new guest", kAway},
                 {"connect", "waits for the guest agent", kAway},
                 {"adopt", "starts the server on the data", kAway},
                 {"finish", "hands it over"}}},
      {.kind = "instance.resize",
       .steps = {{"widen", "raises the limits to whatever is larger"},
                 {"configure", "restarts the server for the new size", kAway},
                 {"limits", "sets the new limits"},
                 {"finish", "records the flavor"}}},
      {.kind = "instance.restart",
       .steps = {{"restart", "restarts the server", kAway}, {"finish", "hands it over"}}},
      {.kind = "instance.start",
       .steps = {{"start", "starts the server"}, {"finish", "hands it over"}}},
      {.kind = "instance.stop",
       .steps = {{"stop", "stops the server", kAway}, {"finish", "records that it is stopped"}}},
      {.kind = "instance.upgrade",
       .steps = {{"stop", "stops the server", kAway},
                 {"snapshot", "keeps the data aside", kAway},
                 {"upgrade", "starts the new version on the data", kAway, kNoReturn},
                 {"discard", "removes what was kept aside"},
                 {"finish", "records the version"}}},
  };
  return outlines;
}

const WorkflowOutline* FindOutline(std::string_view kind) {
  const auto& outlines = WorkflowOutlines();
  const auto found = std::find_if(
      outlines.begin(), outlines.end(), [&](const auto& each) { return each.kind == kind; });
  return found == outlines.end() ? nullptr : &*found;
}

std::string StepTitle(std::string_view kind, std::string_view step) {
  if (const WorkflowOutline* outline = FindOutline(kind)) {
    for (const StepOutline& each : outline->steps)
      if (each.name == step) return each.title;
  }
  return std::string(step);
}

}  // namespace trove
