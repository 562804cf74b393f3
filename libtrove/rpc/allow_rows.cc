#include "libtrove/rpc/allow_table.h"

namespace trove::rpc {
namespace {

constexpr std::string_view kApi = "service/api";
constexpr std::string_view kGateway = "service/gateway";
constexpr std::string_view kTaskManager = "service/taskmanager";
constexpr std::string_view kTrovectl = "service/trovectl";
constexpr std::string_view kEveryone = "*";

constexpr auto kNowhere = AllowRow::Open::kNowhere;
constexpr auto kPublic = AllowRow::Open::kPublic;
constexpr auto kEnrol = AllowRow::Open::kEnrol;
constexpr auto kPublicAndEnrol = AllowRow::Open::kPublicAndEnrol;

// One row an rpc. A server refuses to start with an rpc that has none.
const std::vector<AllowRow>& Rows() {
  static const std::vector<AllowRow> rows = {
      // The public API. Whoever calls it, the api checks the tenant's token.
      {"/trove.v1.AuditService/ListAuditRecords", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.ConfigurationService/CreateConfiguration", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.ConfigurationService/DeleteConfiguration", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.ConfigurationService/GetConfiguration", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.ConfigurationService/ListConfigurations", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.DatastoreService/GetDatastore", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.DatastoreService/GetDatastoreVersion", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.DatastoreService/ListDatastores", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.DatastoreService/ListDatastoreVersions", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.EventService/ListEvents", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.EventService/WatchEvents", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.FlavorService/GetFlavor", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.FlavorService/ListFlavors", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/AttachConfiguration", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/CreateInstance", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/DeleteInstance", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/DetachConfiguration", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/GetInstance", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/GrowVolume", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/ListInstances", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/RebuildInstance", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/ResizeInstance", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/RestartInstance", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/StartInstance", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/StopInstance", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/UpdateInstance", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.InstanceService/UpgradeInstance", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.LimitsService/GetLimits", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.OperationService/CancelOperation", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.OperationService/GetOperation", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.OperationService/ListOperations", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.OperationService/RetryOperation", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.OperationService/WatchOperation", kPublic, {kGateway, kTrovectl}},
      {"/trove.v1.TokenService/CreateToken", kPublic, {kGateway, kTrovectl}},

      // Between components.
      {"/trove.mesh.v1.ConductorService/Enroll", kEnrol, {}},
      {"/trove.mesh.v1.ConductorService/GetConductorStatus", kNowhere, {kTrovectl}},
      {"/trove.mesh.v1.GuestAgentService/GetStatus", kNowhere, {kApi, kTaskManager}},
      {"/trove.mesh.v1.TaskManagerService/GetEngineStatus", kNowhere, {kApi, kTrovectl}},

      // What gRPC itself serves.
      {"/grpc.health.v1.Health/Check", kPublicAndEnrol, {kEveryone}},
      {"/grpc.health.v1.Health/Watch", kPublicAndEnrol, {kEveryone}},
      {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", kPublic, {kEveryone}},
      {"/grpc.channelz.v1.Channelz/GetChannel", kNowhere, {kTrovectl}},
      {"/grpc.channelz.v1.Channelz/GetServer", kNowhere, {kTrovectl}},
      {"/grpc.channelz.v1.Channelz/GetServerSockets", kNowhere, {kTrovectl}},
      {"/grpc.channelz.v1.Channelz/GetServers", kNowhere, {kTrovectl}},
      {"/grpc.channelz.v1.Channelz/GetSocket", kNowhere, {kTrovectl}},
      {"/grpc.channelz.v1.Channelz/GetSubchannel", kNowhere, {kTrovectl}},
      {"/grpc.channelz.v1.Channelz/GetTopChannels", kNowhere, {kTrovectl}},
  };
  return rows;
}

}  // namespace

const AllowTable& TroveAllowTable() {
  static const AllowTable table(Rows());
  return table;
}

}  // namespace trove::rpc
