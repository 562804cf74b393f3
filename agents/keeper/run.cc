#include "agents/keeper/run.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "agents/keeper/error.h"
#include "agents/keeper/keeper.h"
#include "agents/keeper/log.h"
#include "agents/keeper/privileges.h"
#include "agents/keeper/proc.h"
#include "libtrove/base/unique_fd.h"

namespace trove::keeper {
namespace {

ExitCode Fail(ExitCode code, const Error& error) {
  std::fprintf(stderr, "trove-keeper: %s\n", error.c_str());
  return code;
}

// Who may write the spec may choose the uid, so as root it has to be root's own.
Error CheckOwner(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return ErrnoError(errno, "read " + path);
  if (!S_ISREG(status.st_mode)) return path + " is not a file";
  if (::geteuid() == 0 && (status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0))
    return path + " could be written by others than root";
  return {};
}

Parsed<Spec> ReadSpec(const std::string& path) {
  if (Error error = CheckOwner(path); !error.empty()) return {{}, std::move(error)};
  const std::optional<std::string> text = ReadSmallFile(path, kMaxFileBytes);
  if (!text) return {{}, "cannot read " + path};
  Parsed<Spec> spec = ParseSpec(*text);
  if (!spec.value) spec.error = path + ": " + spec.error;
  return spec;
}

// What needs root, then the end of being root.
Error Confine(const Spec& spec) {
  if (::getpid() != 1 && ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
    return ErrnoError(errno, "become subreaper");
  ::setsid();  // refused to a session leader and in PID 1, which is fine
  if (spec.oom_score_adj) {
    if (Error error = SetOomScore(*spec.oom_score_adj); !error.empty()) return error;
  }
  if (spec.limit_nofile != 0) {
    if (Error error = SetOpenFilesLimit(spec.limit_nofile); !error.empty()) return error;
  }
  if (Error error = JoinCgroups(spec.cgroups); !error.empty()) return error;
  if (Error error = DropPrivileges(spec.uid, spec.gid); !error.empty()) return error;
  // The guest's server has the same uid and need not look into us.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return ErrnoError(errno, "PR_SET_DUMPABLE");
  if (::chdir("/") != 0) return ErrnoError(errno, "chdir /");
  return {};
}

// `ready` is called when the keeper has come up.
template <class F>
ExitCode Keep(const Spec& spec, F ready) {
  const uid_t owner = ::getuid();
  if (Error error = Confine(spec); !error.empty()) return Fail(kExitFailure, error);
  UniqueFd log;
  if (!spec.log.empty()) {
    log = UniqueFd(
        ::open(spec.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!log) return Fail(kExitFailure, ErrnoError(errno, "open " + spec.log));
    LogTo(log.get());
  }
  StartError error;
  const std::unique_ptr<Keeper> keeper = Keeper::Start(spec, owner, &error);
  if (keeper == nullptr) return Fail(error.code, error.text);
  ready();
  return keeper->Run();
}

void CloseInherited() {
  ::close_range(3, ~0U, 0);
}

// In the background: the starter is told, and its stdout and stderr let go, when all is well.
ExitCode KeepDetached(const Spec& spec) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Fail(kExitFailure, ErrnoError(errno, "pipe"));
  UniqueFd told(ends[0]);
  UniqueFd tell(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return Fail(kExitFailure, ErrnoError(errno, "fork"));
  if (pid == 0) {
    told.Reset();
    return Keep(spec, [&tell] {
      const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
      for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        ::dup2(null.get(), fd);
      [[maybe_unused]] const ssize_t sent = ::write(tell.get(), "!", 1);
      tell.Reset();
    });
  }
  tell.Reset();
  char byte = 0;
  ssize_t got = 0;
  do {
    got = ::read(told.get(), &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got == 1) return kExitOk;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  // A signal is passed on as a shell does, for the starter to tell it from a refusal.
  return static_cast<ExitCode>(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

template <class Number>
bool ToNumber(const std::string& text, Number& value) {
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stopped == end && !text.empty();
}

}  // namespace

Parsed<Options> ParseOptions(const std::vector<std::string>& arguments) {
  Options options;
  bool uid_given = false;
  bool gid_given = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& flag = arguments[i];
    if (flag == "--help") {
      options.mode = Mode::kHelp;
      return {std::move(options), {}};
    }
    if (flag == "--exec") {
      options.mode = Mode::kExec;
    } else if (flag == "--detach") {
      options.detach = true;
    } else if (flag == "--") {
      options.command.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                             arguments.end());
      break;
    } else if (flag == "--spec" || flag == "--uid" || flag == "--gid" || flag == "--cgroup") {
      if (++i == arguments.size()) return {{}, flag + " needs a value"};
      const std::string& value = arguments[i];
      bool good = !value.empty();
      if (flag == "--spec") options.spec_path = value;
      if (flag == "--cgroup") options.cgroups.push_back(value);
      if (flag == "--uid") good = uid_given = ToNumber(value, options.uid);
      if (flag == "--gid") good = gid_given = ToNumber(value, options.gid);
      if (!good) return {{}, flag + " does not take " + value};
    } else {
      return {{}, "unknown argument " + flag};
    }
  }
  if (options.mode == Mode::kExec) {
    if (!options.spec_path.empty() || options.detach) return {{}, "--exec stands without --spec"};
    if (!uid_given || !gid_given) return {{}, "--exec needs --uid and --gid"};
    if ((options.uid == 0) != (options.gid == 0)) return {{}, "one of uid and gid is 0"};
    if (options.command.empty()) return {{}, "--exec needs a command after --"};
  } else if (options.spec_path.empty()) {
    return {{}, "--spec or --exec is needed"};
  } else if (uid_given || gid_given || !options.cgroups.empty() || !options.command.empty()) {
    return {{}, "uid, gid, cgroups and command stand in the spec"};
  }
  return {std::move(options), {}};
}

ExitCode RunKeeper(const Options& options) {
  CloseInherited();
  const Parsed<Spec> spec = ReadSpec(options.spec_path);
  if (!spec.value) return Fail(kExitUsage, spec.error);
  return options.detach ? KeepDetached(*spec.value) : Keep(*spec.value, [] {});
}

ExitCode RunExec(const Options& options) {
  CloseInherited();
  Error error = JoinCgroups(options.cgroups);
  if (error.empty()) error = DropPrivileges(options.uid, options.gid);
  if (!error.empty()) return Fail(kExitFailure, error);
  std::vector<char*> arguments;
  for (const std::string& argument : options.command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  return Fail(kExitFailure, ErrnoError(errno, "execute " + options.command[0]));
}

}  // namespace trove::keeper
