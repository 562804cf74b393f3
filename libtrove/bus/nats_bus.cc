#include "libtrove/bus/nats_bus.h"

#include <algorithm>
#include <utility>

#include <pthread.h>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/bus/checks.h"
#include "libtrove/bus/jetstream.h"
#include "libtrove/bus/nats_core.h"
#include "libtrove/bus/nats_link.h"
#include "libtrove/identity/nkey.h"

namespace trove {
namespace {

absl::StatusOr<NatsLogin> LoginOf(const identity::NatsCredentials& credentials) {
  if (credentials.jwt.empty()) return absl::InvalidArgumentError("log in to the bus: no JWT");
  TROVE_ASSIGN_OR_RETURN(identity::NKey key, identity::NKey::FromSeed(credentials.seed));
  return NatsLogin{credentials.jwt, std::move(key)};
}

absl::Status CheckOptions(const NatsBusOptions& options) {
  const auto invalid = [](const std::string& what) {
    return absl::InvalidArgumentError("connect to the bus: " + what);
  };
  if (options.urls.empty()) return invalid("no URL");
  for (const std::string& url : options.urls) {
    if (!url.starts_with("nats://") && !url.starts_with("tls://")) {
      return invalid("the URL must be nats://host:port");
    }
  }
  if (options.server_name.empty()) return invalid("no server name to check");
  if (options.event_replicas < 1 || options.event_replicas > 5) {
    return invalid("event_replicas must be 1 to 5");
  }
  if (options.connect_timeout < absl::Milliseconds(1)) return invalid("no time to connect in");
  if (options.ping_interval < absl::Milliseconds(1)) return invalid("no time between two pings");
  const std::string& prefix = options.inbox_prefix;
  if (prefix.empty() || prefix.ends_with('.') ||
      prefix.find_first_of("*> \t\r\n") != std::string::npos) {
    return invalid("the inbox prefix cannot be used");
  }
  return ReadFile(options.authority_file).status();
}

// Hears of connections through a mailbox that holds one message: told and being told are enough.
const SubscribeOptions kListenerOptions = {.capacity_messages = 1};

}  // namespace

class NatsBus::CoreSubscription final : public Subscription {
 public:
  CoreSubscription(std::shared_ptr<Core> core, std::shared_ptr<Core::Entry> entry)
      : core_(std::move(core)), entry_(std::move(entry)) {}
  ~CoreSubscription() override { core_->Remove(entry_); }

  std::uint64_t dropped() const override { return entry_->mailbox.dropped(); }
  absl::Status status() const override { return core_->RefusalOf(*entry_); }

 private:
  const std::shared_ptr<Core> core_;
  const std::shared_ptr<Core::Entry> entry_;
};

absl::StatusOr<std::unique_ptr<NatsBus>> NatsBus::Connect(const Call& call,
                                                          NatsBusOptions options) {
  TROVE_RETURN_IF_ERROR(CheckOptions(options));
  TROVE_ASSIGN_OR_RETURN(NatsLogin login, LoginOf(options.credentials));
  const bool wait = options.wait_for_first_connection;
  options.credentials = {};  // the key is in the login
  std::unique_ptr<NatsBus> bus(
      new NatsBus(std::make_shared<Core>(std::move(options), std::move(login))));
  if (wait) TROVE_RETURN_IF_ERROR(bus->WaitUntilConnected(call));
  return bus;
}

NatsBus::NatsBus(std::shared_ptr<Core> core)
    : core_(std::move(core)),
      connector_([this](const std::stop_token& stop) { core_->Run(stop); }) {
  pthread_setname_np(connector_.native_handle(), "bus-connector");
}

NatsBus::~NatsBus() = default;

absl::Status NatsBus::ReplaceCredentials(const identity::NatsCredentials& credentials) {
  TROVE_ASSIGN_OR_RETURN(NatsLogin login, LoginOf(credentials));
  core_->ReplaceLogin(std::move(login));
  return absl::OkStatus();
}

absl::Status NatsBus::Publish(const Call& call, const Subject& subject, std::string_view payload) {
  TROVE_RETURN_IF_ERROR(CheckMessage(subject, payload));
  TROVE_RETURN_IF_ERROR(call.Check());
  return core_->Send(subject.value(), payload);
}

absl::StatusOr<std::string> NatsBus::Request(const Call& call,
                                             const Subject& subject,
                                             std::string_view payload) {
  TROVE_RETURN_IF_ERROR(CheckMessage(subject, payload));
  TROVE_RETURN_IF_ERROR(call.Check());
  absl::StatusOr<std::string> answer = core_->Ask(call, subject.value(), payload, "");
  if (answer.ok()) return answer;
  return Annotate(answer.status(), "ask " + subject.value());
}

absl::StatusOr<std::unique_ptr<Inquiry>> NatsBus::Ask(const Call& call,
                                                      const Subject& subject,
                                                      std::string_view payload) {
  class CoreInquiry final : public Inquiry {
   public:
    CoreInquiry(std::shared_ptr<Core> core, Core::Asked asked)
        : core_(std::move(core)), asked_(std::move(asked)) {}
    ~CoreInquiry() override { core_->EndAsking(asked_); }

    std::optional<absl::StatusOr<std::string>> Answer() const override {
      return asked_.pending->Peek();
    }

   private:
    const std::shared_ptr<Core> core_;
    const Core::Asked asked_;
  };
  TROVE_RETURN_IF_ERROR(CheckMessage(subject, payload));
  TROVE_RETURN_IF_ERROR(call.Check());
  absl::StatusOr<Core::Asked> asked = core_->BeginAsking(subject.value(), payload, "");
  if (asked.ok()) return std::make_unique<CoreInquiry>(core_, *std::move(asked));
  return Annotate(asked.status(), "ask " + subject.value());
}

absl::StatusOr<std::unique_ptr<Subscription>> NatsBus::Subscribe(const Call& call,
                                                                 const Subject& subject,
                                                                 const SubscribeOptions& options,
                                                                 BusHandler handler) {
  TROVE_RETURN_IF_ERROR(CheckSubscription(options, handler));
  TROVE_RETURN_IF_ERROR(call.Check());
  TROVE_ASSIGN_OR_RETURN(std::shared_ptr<Core::Entry> entry,
                         core_->Add(call, subject, options, std::move(handler)));
  return std::make_unique<CoreSubscription>(core_, std::move(entry));
}

absl::Status NatsBus::EnsureEventStream(const Call& call) {
  TROVE_RETURN_IF_ERROR(call.Check());
  const std::string config = EventStreamConfig(core_->event_replicas());
  absl::Status done;
  for (const std::string_view where : {kMakeEventStream, kChangeEventStream}) {
    const absl::StatusOr<std::string> answer = core_->Ask(call, std::string(where), config, "");
    done = answer.ok() ? ReadJetStreamAnswer(*answer) : answer.status();
    if (!absl::IsAlreadyExists(done)) break;
  }
  if (absl::IsAlreadyExists(done)) done = absl::InternalError(MessageOf(done));
  return Annotate(done, "make the event stream");
}

absl::Status NatsBus::PublishEvent(const Call& call,
                                   const Subject& subject,
                                   std::string_view payload,
                                   const EventId& msg_id) {
  TROVE_RETURN_IF_ERROR(CheckEvent(subject, payload, msg_id));
  TROVE_RETURN_IF_ERROR(call.Check());
  const absl::StatusOr<std::string> answer =
      core_->Ask(call, subject.value(), payload, msg_id.value());
  return Annotate(answer.ok() ? ReadJetStreamAnswer(*answer) : answer.status(),
                  "publish event " + msg_id.value());
}

BusState NatsBus::state() const {
  return core_->state();
}

absl::Status NatsBus::WaitUntilConnected(const Call& call) {
  return core_->WaitUntilConnected(call);
}

std::unique_ptr<Subscription> NatsBus::OnReconnect(std::function<void()> listener) {
  class Listening final : public Subscription {
   public:
    Listening(std::shared_ptr<Core> core, std::shared_ptr<Mailbox> mailbox)
        : core_(std::move(core)), mailbox_(std::move(mailbox)) {
      core_->AddListener(mailbox_);
    }
    ~Listening() override { core_->RemoveListener(mailbox_); }
    std::uint64_t dropped() const override { return 0; }
    absl::Status status() const override { return absl::OkStatus(); }

   private:
    const std::shared_ptr<Core> core_;
    const std::shared_ptr<Mailbox> mailbox_;
  };
  return std::make_unique<Listening>(
      core_,
      std::make_shared<Mailbox>(kListenerOptions,
                                [heard = std::move(listener)](const BusMessage&) { heard(); }));
}

}  // namespace trove
