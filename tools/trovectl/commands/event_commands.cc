#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "tools/trovectl/commands/cloud_event.h"
#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/commands/exit_code.h"
#include "tools/trovectl/commands/interrupt.h"
#include "tools/trovectl/commands/session.h"

namespace trove::trovectl {
namespace {

constexpr int kPageSize = 100;

struct EventFlags {
  std::int64_t after = -1;  // not given
  std::string subject;
  bool all_projects = false;
  std::size_t limit = 0;
};

void Print(const v1::Event& event, const Session& session) {
  std::printf("%s\n", (session.json() ? CloudEventJson(event) : EventLine(event)).c_str());
}

absl::Status List(client::Client& client, const Session& session, const EventFlags& flags) {
  v1::ListEventsRequest request;
  request.set_after_position(flags.after < 0 ? 0 : flags.after);
  request.set_subject(flags.subject);
  request.set_all_projects(flags.all_projects);
  request.set_page_size(kPageSize);
  std::size_t shown = 0;
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const v1::ListEventsResponse page,
                           client.ListEvents(session.MakeCall(), request));
    for (const v1::Event& event : page.events()) {
      Print(event, session);
      if (++shown == flags.limit) return absl::OkStatus();
    }
    if (page.next_position() <= request.after_position()) return absl::OkStatus();
    request.set_after_position(page.next_position());
  }
}

absl::Status Watch(client::Client& client, const Session& session, const EventFlags& flags) {
  v1::WatchEventsRequest request;
  if (flags.after >= 0) request.set_after_position(flags.after);
  request.set_subject(flags.subject);
  request.set_all_projects(flags.all_projects);
  const Interrupt interrupt;
  std::size_t shown = 0;
  const absl::Status watched = client.WatchEvents(
      session.MakeWaitingCall(interrupt.token()),
      request,
      [&](const v1::Event& event) {
        Print(event, session);
        std::fflush(stdout);
        return ++shown != flags.limit;
      },
      [](const absl::Status&) {
        std::fprintf(stderr, "the connection is lost, and made again\n");
      });
  if (interrupt.happened())
    return WithExitCode(absl::CancelledError("not watched any longer"), kInterrupted);
  // The time that was given is over, and that is all.
  return absl::IsDeadlineExceeded(watched) && session.timeout_given ? absl::OkStatus() : watched;
}

using Body = absl::Status (*)(client::Client&, const Session&, const EventFlags&);

void Add(CLI::App& group,
         int* exit_code,
         const char* name,
         const char* description,
         const char* after,
         Body body) {
  CLI::App* command = group.add_subcommand(name, description);
  const auto flags = std::make_shared<EventFlags>();
  command->add_option("--after", flags->after, after)->check(CLI::NonNegativeNumber);
  command->add_option("--subject",
                      flags->subject,
                      "only of this resource, as instances/ID; `instances` is all of them");
  command->add_flag("--all-projects", flags->all_projects, "those of all projects (admin)");
  command->add_option("--limit", flags->limit, "end after so many (default: all)");
  RunWithClient(*command, exit_code, [flags, body](client::Client& client, const Session& session) {
    return body(client, session, *flags);
  });
}

}  // namespace

void AddInstanceEvents(CLI::App& group, int* exit_code) {
  CLI::App* command = group.add_subcommand("events", "what became of an instance, oldest first");
  const auto which = std::make_shared<std::string>();
  command->add_option("instance", *which, "id (also of one that is deleted), or name")->required();
  RunWithClient(
      *command, exit_code, [which](client::Client& client, const Session& session) -> absl::Status {
        const absl::StatusOr<v1::Instance> found = client.FindInstance(session.MakeCall(), *which);
        if (!found.ok() && !(absl::IsNotFound(found.status()) && IsUuid(*which)))
          return found.status();
        EventFlags flags;
        flags.subject = "instances/" + (found.ok() ? found->id() : *which);
        return List(client, session, flags);
      });
}

void AddEventCommands(CLI::App& app, int* exit_code) {
  CLI::App* group = app.add_subcommand("event", "what changed, in order; kept for 7 days");
  group->require_subcommand(1);
  Add(*group,
      exit_code,
      "list",
      "events that have been, oldest first",
      "only those after this position",
      List);
  Add(*group,
      exit_code,
      "watch",
      "events as they happen, each once, also over a lost connection",
      "begin after this position; 0: with the oldest (default: with what happens from now on)",
      Watch);
}

}  // namespace trove::trovectl
