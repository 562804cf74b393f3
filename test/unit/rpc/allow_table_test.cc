#include "libtrove/rpc/allow_table.h"

#include <set>
#include <string>

#include <catch2/catch.hpp>
#include <google/protobuf/descriptor.h>

#include "trove/mesh/v1/conductor.pb.h"
#include "trove/mesh/v1/guest_agent.pb.h"
#include "trove/mesh/v1/task_manager.pb.h"
#include "trove/v1/audit.pb.h"
#include "trove/v1/configuration.pb.h"
#include "trove/v1/datastore.pb.h"
#include "trove/v1/event.pb.h"
#include "trove/v1/flavor.pb.h"
#include "trove/v1/instance.pb.h"
#include "trove/v1/limits.pb.h"
#include "trove/v1/operation.pb.h"
#include "trove/v1/token.pb.h"

namespace trove::rpc {
namespace {

using identity::PeerIdentity;
using identity::PeerKind;
using Open = AllowRow::Open;

constexpr char kMethod[] = "/p.Service/Method";
const PeerIdentity kNobody;
const PeerIdentity kApi{PeerKind::kService, "0badcafe", "api"};
const PeerIdentity kGateway{PeerKind::kService, "0badcafe", "gateway"};
const PeerIdentity kGuest{PeerKind::kGuest, "0badcafe", "6c1ff9ac-2f0f-4f53-9d40-2d5f3a1c3bd0"};
// A guest cannot choose its name, but if it could: this must not make a service of it.
const PeerIdentity kImpostor{PeerKind::kGuest, "0badcafe", "api"};

TEST_CASE("a row says who may call where and everything else is denied", "[unit][rpc]") {
  struct Case {
    AllowRow row;
    ListenerKind listener;
    PeerIdentity peer;
    bool allowed;
  };
  const auto [row, listener, peer, allowed] = GENERATE(values<Case>({
      {{kMethod, Open::kPublic, {}}, ListenerKind::kPublic, kNobody, true},
      {{kMethod, Open::kPublic, {}}, ListenerKind::kEnrol, kNobody, false},
      {{kMethod, Open::kPublic, {}}, ListenerKind::kMesh, kApi, false},
      {{kMethod, Open::kEnrol, {}}, ListenerKind::kEnrol, kNobody, true},
      {{kMethod, Open::kEnrol, {}}, ListenerKind::kPublic, kNobody, false},
      {{kMethod, Open::kPublicAndEnrol, {}}, ListenerKind::kEnrol, kNobody, true},
      {{kMethod, Open::kNowhere, {"service/api"}}, ListenerKind::kMesh, kApi, true},
      {{kMethod, Open::kNowhere, {"service/api"}}, ListenerKind::kMesh, kGateway, false},
      {{kMethod, Open::kNowhere, {"service/api"}}, ListenerKind::kMesh, kImpostor, false},
      {{kMethod, Open::kNowhere, {"service/api"}}, ListenerKind::kMesh, kNobody, false},
      {{kMethod, Open::kNowhere, {"service/api"}}, ListenerKind::kPublic, kApi, false},
      {{kMethod, Open::kNowhere, {"guest/*"}}, ListenerKind::kMesh, kGuest, true},
      {{kMethod, Open::kNowhere, {"guest/*"}}, ListenerKind::kMesh, kApi, false},
      {{kMethod, Open::kNowhere, {"*"}}, ListenerKind::kMesh, kGuest, true},
      {{kMethod, Open::kNowhere, {"*"}}, ListenerKind::kMesh, kNobody, false},
      {{"/p.Service/Other", Open::kPublic, {"*"}}, ListenerKind::kMesh, kApi, false},
  }));
  CAPTURE(row.method, NameOf(listener), identity::Describe(peer));
  const AllowTable table({row});
  CHECK(table.Check(kMethod, listener, peer).ok() == allowed);
  if (!allowed) CHECK(absl::IsPermissionDenied(table.Check(kMethod, listener, peer)));
}

TEST_CASE("the project's table has a row for every rpc of every contract and no other",
          "[unit][rpc]") {
  const google::protobuf::FileDescriptor* files[] = {
      v1::ListAuditRecordsRequest::descriptor()->file(),
      v1::GetConfigurationRequest::descriptor()->file(),
      v1::GetDatastoreRequest::descriptor()->file(),
      v1::ListEventsRequest::descriptor()->file(),
      v1::GetFlavorRequest::descriptor()->file(),
      v1::GetInstanceRequest::descriptor()->file(),
      v1::GetLimitsRequest::descriptor()->file(),
      v1::GetOperationRequest::descriptor()->file(),
      v1::CreateTokenRequest::descriptor()->file(),
      mesh::v1::EnrollRequest::descriptor()->file(),
      mesh::v1::GetStatusRequest::descriptor()->file(),
      mesh::v1::GetEngineStatusRequest::descriptor()->file(),
  };
  std::set<std::string> expected;
  for (const google::protobuf::FileDescriptor* file : files) {
    REQUIRE(file->service_count() > 0);
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        expected.insert("/" + file->service(i)->full_name() + "/" +
                        file->service(i)->method(j)->name());
      }
    }
  }
  std::set<std::string> rows;
  for (const std::string& method : TroveAllowTable().Methods()) {
    if (method.starts_with("/trove.")) rows.insert(method);
  }
  CHECK(rows == expected);
}

TEST_CASE("the project's table keeps the public and the mesh apart", "[unit][rpc]") {
  const AllowTable& table = TroveAllowTable();
  for (const std::string& method : table.Methods()) {
    CAPTURE(method);
    if (method.starts_with("/trove.mesh.") || method.starts_with("/grpc.channelz."))
      CHECK_FALSE(table.IsOpenOn(method, ListenerKind::kPublic));
    if (table.IsOpenOn(method, ListenerKind::kEnrol)) {
      CHECK((method == "/trove.mesh.v1.ConductorService/Enroll" ||
             method.starts_with("/grpc.health.")));
    }
    if (!method.starts_with("/grpc."))
      CHECK_FALSE(table.Check(method, ListenerKind::kMesh, kGuest).ok());
  }
}

}  // namespace
}  // namespace trove::rpc
