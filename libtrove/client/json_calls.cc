#include "libtrove/client/json_calls.h"

#include <deque>
#include <set>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include "trove/client/v1/reflection.pb.h"

#include "libtrove/base/status_macros.h"
#include "libtrove/rpc/status.h"

namespace trove::client {
namespace {

namespace pb = google::protobuf;

constexpr char kReflection[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

// A streaming call over a completion queue of its own, one event at a time.
class GenericCall {
 public:
  GenericCall(const Call& call,
              const std::shared_ptr<grpc::Channel>& channel,
              const rpc::CallExtras& extras,
              const std::string& method)
      : outgoing_(call, extras), stub_(channel) {
    stream_ = stub_.PrepareCall(outgoing_.context(), method, &queue_);
    stream_->StartCall(this);
    Wait();
  }
  GenericCall(const GenericCall&) = delete;
  GenericCall& operator=(const GenericCall&) = delete;
  ~GenericCall() {
    outgoing_.context()->TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  bool Write(const pb::Message& message) {
    grpc::ByteBuffer buffer;
    bool owned = false;
    if (!grpc::GenericSerialize<grpc::ProtoBufferWriter, pb::Message>(message, &buffer, &owned)
             .ok())
      return false;
    stream_->Write(buffer, this);
    return Wait();
  }

  bool WritesDone() {
    stream_->WritesDone(this);
    return Wait();
  }

  bool Read(pb::Message* message) {
    grpc::ByteBuffer buffer;
    stream_->Read(&buffer, this);
    if (!Wait()) return false;
    return grpc::GenericDeserialize<grpc::ProtoBufferReader, pb::Message>(&buffer, message).ok();
  }

  absl::Status Finish() {
    grpc::Status status;
    stream_->Finish(&status, this);
    Wait();
    return rpc::FromGrpc(status);
  }

 private:
  // Ends by the call's deadline at the latest, with the rpc.
  bool Wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  rpc::OutgoingCall outgoing_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

absl::StatusOr<v1::ReflectionResponse> Ask(GenericCall& reflection,
                                           const v1::ReflectionRequest& request) {
  v1::ReflectionResponse response;
  if (!reflection.Write(request) || !reflection.Read(&response)) {
    const absl::Status status = reflection.Finish();
    return status.ok() ? absl::InternalError("the server's reflection gave no answer") : status;
  }
  if (response.has_error()) {
    return rpc::FromGrpc(grpc::Status(static_cast<grpc::StatusCode>(response.error().code()),
                                      response.error().message()));
  }
  return response;
}

// Every file that `symbol` needs, in a pool of its own.
absl::StatusOr<std::unique_ptr<pb::DescriptorPool>> LoadFiles(
    const Call& call, const std::shared_ptr<grpc::Channel>& channel, const std::string& symbol) {
  GenericCall reflection(call, channel, {}, kReflection);
  std::set<std::string> known;
  std::vector<pb::FileDescriptorProto> files;
  v1::ReflectionRequest first;
  first.set_file_containing_symbol(symbol);
  std::deque<v1::ReflectionRequest> questions = {first};
  while (!questions.empty()) {
    TROVE_ASSIGN_OR_RETURN(const v1::ReflectionResponse response,
                           Ask(reflection, questions.front()));
    questions.pop_front();
    for (const std::string& bytes : response.files().files()) {
      pb::FileDescriptorProto file;
      if (!file.ParseFromString(bytes) || !known.insert(file.name()).second) continue;
      files.push_back(file);
    }
    for (const pb::FileDescriptorProto& file : std::vector<pb::FileDescriptorProto>(files)) {
      for (const std::string& import : file.dependency()) {
        if (!known.contains(import) && questions.empty()) {
          questions.emplace_back().set_file_by_filename(import);
        }
      }
    }
  }
  // A file can be built when all that it imports has been.
  auto pool = std::make_unique<pb::DescriptorPool>();
  for (std::size_t built = 0; built < files.size();) {
    const std::size_t before = built;
    for (const pb::FileDescriptorProto& file : files) {
      if (pool->FindFileByName(file.name()) != nullptr) continue;
      bool ready = true;
      for (const std::string& import : file.dependency()) {
        ready = ready && pool->FindFileByName(import) != nullptr;
      }
      if (ready && pool->BuildFile(file) != nullptr) ++built;
    }
    if (built == before) return absl::InternalError("the server describes itself incompletely");
  }
  return pool;
}

// `package.Service/Method`, from either way of writing it.
absl::StatusOr<std::pair<std::string, std::string>> SplitMethod(const std::string& method) {
  std::size_t at = method.find('/');
  if (at == std::string::npos) at = method.rfind('.');
  if (at == std::string::npos || at == 0 || at + 1 == method.size()) {
    return absl::InvalidArgumentError(
        "a method is named package.Service/Method, as trove.v1.FlavorService/ListFlavors, not " +
        method);
  }
  return std::pair(method.substr(0, at), method.substr(at + 1));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListServicesByReflection(
    const Call& call, const std::shared_ptr<grpc::Channel>& channel) {
  GenericCall reflection(call, channel, {}, kReflection);
  v1::ReflectionRequest request;
  request.set_list_services("*");
  TROVE_ASSIGN_OR_RETURN(const v1::ReflectionResponse response, Ask(reflection, request));
  std::vector<std::string> names;
  for (const v1::ServiceList::Service& service : response.services().services()) {
    names.push_back(service.name());
  }
  return names;
}

absl::StatusOr<std::vector<std::string>> CallByReflection(
    const Call& call,
    const std::shared_ptr<grpc::Channel>& channel,
    const rpc::CallExtras& extras,
    const std::string& method,
    const std::string& request_json) {
  TROVE_ASSIGN_OR_RETURN(const auto names, SplitMethod(method));
  TROVE_ASSIGN_OR_RETURN(const std::unique_ptr<pb::DescriptorPool> pool,
                         LoadFiles(call, channel, names.first));
  const pb::ServiceDescriptor* service = pool->FindServiceByName(names.first);
  if (service == nullptr) return absl::NotFoundError("there is no service " + names.first);
  const pb::MethodDescriptor* found = service->FindMethodByName(names.second);
  if (found == nullptr) {
    std::string known;
    for (int i = 0; i < service->method_count(); ++i)
      known += " " + service->method(i)->name();
    return absl::NotFoundError(names.first + " has no method " + names.second +
                               "; it has:" + known);
  }
  if (found->client_streaming()) {
    return absl::UnimplementedError(names.second + " takes a stream of requests");
  }

  pb::DynamicMessageFactory factory(pool.get());
  const std::unique_ptr<pb::Message> request(factory.GetPrototype(found->input_type())->New());
  const auto parsed = pb::util::JsonStringToMessage(request_json, request.get());
  if (!parsed.ok()) {
    return absl::InvalidArgumentError("the request is no " + found->input_type()->full_name() +
                                      ": " + parsed.message().ToString());
  }
  GenericCall rpc_call(call, channel, extras, "/" + names.first + "/" + names.second);
  std::vector<std::string> responses;
  if (rpc_call.Write(*request) && rpc_call.WritesDone()) {
    const std::unique_ptr<pb::Message> response(factory.GetPrototype(found->output_type())->New());
    pb::util::JsonPrintOptions pretty;
    pretty.add_whitespace = true;
    pretty.preserve_proto_field_names = true;
    while (rpc_call.Read(response.get())) {
      std::string json;
      const auto printed = pb::util::MessageToJsonString(*response, &json, pretty);
      if (!printed.ok()) return absl::InternalError(printed.message().ToString());
      responses.push_back(std::move(json));
    }
  }
  TROVE_RETURN_IF_ERROR(rpc_call.Finish());
  return responses;
}

}  // namespace trove::client
