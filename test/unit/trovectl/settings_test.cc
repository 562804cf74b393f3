#include "tools/trovectl/launch/settings.h"

#include <catch2/catch.hpp>

#include "libtrove/base/call.h"
#include "libtrove/base/config.h"
#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/subprocess.h"
#include "test/support/temporary_directory.h"
#include "tools/trovectl/launch/last_options.h"

namespace trove::trovectl {
namespace {

SettingsInput Input() {
  SettingsInput input;
  input.layout.data_dir = "/data";
  input.mesh_id = "0a1b2c3d";
  input.socket_dir = "/run/trove/0a1b2c3d";
  input.guest_programs = "/opt/trove/bin";
  input.manifests = "/opt/trove/share/trove";
  input.address = "127.0.0.1";
  input.ports = {
      .rest = 1, .grpc = 2, .nats = 3, .enrol = 4, .api = 5, .taskmanager = 6, .conductor = 7};
  return input;
}

TEST_CASE("the services find each other in the settings", "[unit][trovectl]") {
  Settings settings = MakeSettings(Input());
  CHECK(settings["common"]["nats_url"] == "tls://127.0.0.1:3");
  CHECK(settings["gateway"]["api"] == settings["api"]["listen"]);
  CHECK(settings["common"]["datastores"] == "/data/datastores");
  CHECK(settings["taskmanager"]["conductor_enrol_address"] ==
        settings["conductor"]["enrol_listen"]);
  CHECK(settings["api"]["public_listen"] == "127.0.0.1:2");
  CHECK(settings["gateway"]["listen"] == "127.0.0.1:1");
  CHECK_FALSE(settings["gateway"].contains("tls_cert"));
  CHECK_FALSE(settings["gateway"].contains("nats_creds"));
}

TEST_CASE("REST is TLS when there is a certificate", "[unit][trovectl]") {
  SettingsInput input = Input();
  input.tls_cert = "/c.pem";
  input.tls_key = "/k.pem";
  Settings settings = MakeSettings(input);
  CHECK(settings["gateway"]["tls_cert"] == "/c.pem");
  CHECK(settings["gateway"]["tls_key"] == "/k.pem");
}

TEST_CASE("a setting is replaced or added by its service and key", "[unit][trovectl]") {
  Settings settings = MakeSettings(Input());
  REQUIRE(Override(settings, "taskmanager.workers=3").ok());
  REQUIRE(Override(settings, "common.log_level=debug=x").ok());
  CHECK(settings["taskmanager"]["workers"] == "3");
  CHECK(settings["common"]["log_level"] == "debug=x");
  for (const char* wrong : {"",
                            "workers=3",
                            "taskmanager.workers",
                            ".workers=3",
                            "taskmanager.=3",
                            "=",
                            "mail.port=25"}) {
    CAPTURE(wrong);
    CHECK(absl::IsInvalidArgument(Override(settings, wrong)));
  }
}

TEST_CASE("a service reads from the file what was meant", "[unit][trovectl]") {
  const TemporaryDirectory folder;
  const std::string odd = "a \"b\" \\ 'c': #d\n\té {x} [y] yes";
  Settings settings;
  settings["common"]["mesh_id"] = "00000000";
  settings["api"]["name"] = odd;
  const std::string file = folder / "trove.yaml";
  REQUIRE(WriteFileAtomically(file, SettingsText(settings), 0644).ok());

  std::string name;
  std::string mesh_id;
  ConfigLoader loader("api", "test");
  loader.Add("name", &name, "a name");
  loader.Add("mesh_id", &mesh_id, "an id");
  const char* arguments[] = {"trove-api", "--config", file.c_str()};
  REQUIRE(loader.Load(3, arguments).value());
  CHECK(name == odd);
  CHECK(mesh_id == "00000000");
}

TEST_CASE("a shell and the launcher read the same from client.env", "[unit][trovectl]") {
  const TemporaryDirectory folder;
  const Layout layout{folder.path()};
  const ClientEnvironment client{.rest_url = "http://127.0.0.1:8779",
                                 .grpc_endpoint = "[::1]:8780",
                                 .token = "trv_abc",
                                 .project = "admin",
                                 .ca = "/it's a $HOME `x`/ca.pem"};
  CHECK(absl::IsNotFound(ReadClientEnvironment(layout).status()));
  REQUIRE(
      WriteFileAtomically(layout.ClientEnvironment(), ClientEnvironmentText(client), 0600).ok());
  CHECK(ReadClientEnvironment(layout).value() == client);

  const auto shown = RunProgram(
      CallFor(absl::Seconds(20)),
      {.argv = {
           "/bin/sh",
           "-c",
           ". " + layout.ClientEnvironment().string() +
               " && printf '%s %s %s' \"$TROVE_CA\" \"$TROVE_GRPC_ENDPOINT\" \"$TROVE_TOKEN\""}});
  REQUIRE(shown.ok());
  CHECK(shown->output == client.ca + " [::1]:8780 trv_abc");
}

TEST_CASE("a client.env without a token says what to do", "[unit][trovectl]") {
  const TemporaryDirectory folder;
  const Layout layout{folder.path()};
  REQUIRE(WriteFileAtomically(layout.ClientEnvironment(), "export TROVE_REST_URL=x\n", 0600).ok());
  const absl::Status refused = ReadClientEnvironment(layout).status();
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(MessageOf(refused).find("TROVE_GRPC_ENDPOINT") != std::string::npos);
}

TEST_CASE("how a mesh was started is remembered", "[unit][trovectl]") {
  const TemporaryDirectory folder;
  const Layout layout{folder.path()};
  REQUIRE(MakeDirectory(layout.Run(), 0700).ok());
  CHECK(LastOptions(layout).value().address == "127.0.0.1");
  MeshOptions options;
  options.address = "10.0.0.5";
  options.rest_cert = "/a b/c.pem";
  options.rest_key = "/a b/k.pem";
  options.overrides = {"api.region=Here and there", "taskmanager.workers=2"};
  REQUIRE(KeepOptions(layout, options).ok());
  const MeshOptions kept = LastOptions(layout).value();
  CHECK(kept.data_dir == layout.data_dir);
  CHECK(kept.address == options.address);
  CHECK(kept.rest_cert == options.rest_cert);
  CHECK(kept.rest_key == options.rest_key);
  CHECK(kept.overrides == options.overrides);
}

}  // namespace
}  // namespace trove::trovectl
