#include "libtrove/model/workflow_outline.h"

#include <algorithm>

namespace trove {

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
       .steps = {{"stop", "stops the server", .downtime = true},
                 {"guest", "removes the guest"},
                 {"volume", "removes the data"},
                 {"release", "gives back port and user"},
                 {"bury", "removes the record"}}},
      {.kind = "instance.detach",
       .steps = {{"configure", "gives the server its default parameters"},
                 {"finish", "records that there is no group"}}},
      {.kind = "instance.grow",
       .steps = {{"volume", "makes the volume larger", .point_of_no_return = true},
                 {"guest", "tells the guest"},
                 {"finish", "records the size"}}},
      {.kind = "instance.rebuild",
       .steps = {{"stop", "stops the server", .downtime = true},
                 {"reset",
                  "removes everything but the data",
                  .downtime = true,
                  .point_of_no_return = true},
                 {"guest", "starts a new guest", .downtime = true},
                 {"connect", "waits for the guest agent", .downtime = true},
                 {"adopt", "starts the server on the data", .downtime = true},
                 {"finish", "hands it over"}}},
      {.kind = "instance.resize",
       .steps = {{"widen", "raises the limits to whatever is larger"},
                 {"configure", "restarts the server for the new size", .downtime = true},
                 {"limits", "sets the new limits"},
                 {"finish", "records the flavor"}}},
      {.kind = "instance.restart",
       .steps = {{"restart", "restarts the server", .downtime = true},
                 {"finish", "hands it over"}}},
      {.kind = "instance.start",
       .steps = {{"start", "starts the server"}, {"finish", "hands it over"}}},
      {.kind = "instance.stop",
       .steps = {{"stop", "stops the server", .downtime = true},
                 {"finish", "records that it is stopped"}}},
      {.kind = "instance.upgrade",
       .steps = {{"stop", "stops the server", .downtime = true},
                 {"snapshot", "keeps the data aside", .downtime = true},
                 {"upgrade",
                  "starts the new version on the data",
                  .downtime = true,
                  .point_of_no_return = true},
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
