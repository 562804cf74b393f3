#include "libtrove/rpc/status.h"

#include <string>

#include <absl/strings/cord.h>
#include <catch2/catch.hpp>

#include "trove/v1/error.pb.h"
#include "trove/v1/rich_status.pb.h"

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"

namespace trove::rpc {
namespace {

v1::ErrorDetail DetailOf(const grpc::Status& status) {
  v1::RichStatus rich;
  REQUIRE(rich.ParseFromString(status.error_details()));
  REQUIRE(rich.details_size() == 1);
  CHECK(rich.details(0).type_url() == "type.googleapis.com/trove.v1.ErrorDetail");
  CHECK(rich.code() == status.error_code());
  CHECK(rich.message() == status.error_message());
  v1::ErrorDetail detail;
  REQUIRE(detail.ParseFromString(rich.details(0).value()));
  return detail;
}

TEST_CASE("an error goes to gRPC and back with its reason and violations", "[unit][rpc]") {
  const absl::Status error = FieldError("volume_size_gib", "must be 1 to 1024, not 0");
  const grpc::Status wire = ToGrpc(error, "req-1");
  CHECK(wire.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  const v1::ErrorDetail detail = DetailOf(wire);
  CHECK(detail.reason() == "INVALID_FIELD");
  REQUIRE(detail.field_violations_size() == 1);
  CHECK(detail.field_violations(0).field() == "volume_size_gib");

  const absl::Status back = FromGrpc(wire);
  CHECK(back == error);
  CHECK(ReasonOf(back).reason == Reason::kInvalidField);
}

TEST_CASE("an error without a reason gets the one that fits its code", "[unit][rpc]") {
  const auto [code, reason] = GENERATE(table<absl::StatusCode, std::string>({
      {absl::StatusCode::kUnavailable, "UNAVAILABLE"},
      {absl::StatusCode::kDeadlineExceeded, "TIMED_OUT"},
      {absl::StatusCode::kPermissionDenied, "PERMISSION_DENIED"},
      {absl::StatusCode::kCancelled, "UNAVAILABLE"},
  }));
  const grpc::Status wire = ToGrpc(absl::Status(code, "why"), "req-1");
  CHECK(static_cast<int>(wire.error_code()) == static_cast<int>(code));
  CHECK(wire.error_message() == "why");
  CHECK(DetailOf(wire).reason() == reason);
}

TEST_CASE("what we do not know better shows only the request id", "[unit][rpc]") {
  const auto code = GENERATE(
      absl::StatusCode::kInternal, absl::StatusCode::kUnknown, absl::StatusCode::kDataLoss);
  absl::Status error(code, "password is hunter2");
  error.SetPayload("type.googleapis.com/some.Secret", absl::Cord("hunter2"));
  const grpc::Status wire = ToGrpc(error, "req-77");
  CHECK(wire.error_code() == grpc::StatusCode::INTERNAL);
  CHECK(wire.error_message() == "internal error, request id req-77");
  CHECK(wire.error_details().find("hunter2") == std::string::npos);
  CHECK(DetailOf(wire).reason() == "INTERNAL");
}

TEST_CASE("OK is OK both ways and strange details are survived", "[unit][rpc]") {
  CHECK(ToGrpc(absl::OkStatus(), "req-1").ok());
  CHECK(FromGrpc(grpc::Status::OK).ok());
  const grpc::Status strange(grpc::StatusCode::NOT_FOUND, "gone", "\xff not a message");
  CHECK(FromGrpc(strange) == absl::NotFoundError("gone"));
}

}  // namespace
}  // namespace trove::rpc
