#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "services/taskmanager/provisioner.h"
#include "test/support/faults/boundaries.h"

namespace trove::taskmanager {

/// A provisioner each of whose calls that change something is a boundary before and after, and
/// fails when the plan says so. `real` must outlive it.
class FaultyProvisioner final : public Provisioner {
 public:
  explicit FaultyProvisioner(Provisioner& real) : real_(real) {}

  std::string placement_prefix() const override { return real_.placement_prefix(); }
  absl::Status PrepareTemplates(const Call& call,
                                const std::vector<DatastoreVersion>& versions) override {
    return real_.PrepareTemplates(call, versions);
  }
  absl::StatusOr<GuestPlace> Place(const Call& call, const GuestRef& guest) override {
    return Around("Place",
                  [&]() -> absl::StatusOr<GuestPlace> { return real_.Place(call, guest); });
  }
  absl::Status Reclaim(const Call& call, const GuestRef& guest, const GuestPlace& place) override {
    return real_.Reclaim(call, guest, place);
  }
  absl::Status Release(const Call& call, const GuestRef& guest, const GuestPlace& place) override {
    return Around("Release", [&] { return real_.Release(call, guest, place); });
  }
  absl::Status EnsureVolume(const Call& call, const VolumeSpec& spec) override {
    return Around("EnsureVolume", [&] { return real_.EnsureVolume(call, spec); });
  }
  absl::Status RemoveVolume(const Call& call,
                            const GuestRef& guest,
                            const VolumeId& volume) override {
    return Around("RemoveVolume", [&] { return real_.RemoveVolume(call, guest, volume); });
  }
  absl::Status Ensure(const Call& call, const GuestSpec& spec) override {
    return Around("Ensure", [&] { return real_.Ensure(call, spec); });
  }
  absl::Status Stop(const Call& call, const GuestRef& guest) override {
    return Around("Stop", [&] { return real_.Stop(call, guest); });
  }
  absl::Status Start(const Call& call, const GuestRef& guest) override {
    return Around("Start", [&] { return real_.Start(call, guest); });
  }
  absl::Status Resize(const Call& call, const GuestRef& guest, const Flavor& flavor) override {
    return Around("Resize", [&] { return real_.Resize(call, guest, flavor); });
  }
  absl::Status SnapshotVolume(const Call& call,
                              const GuestRef& guest,
                              const VolumeId& volume,
                              const std::string& name) override {
    return Around("SnapshotVolume",
                  [&] { return real_.SnapshotVolume(call, guest, volume, name); });
  }
  absl::Status RevertVolume(const Call& call,
                            const GuestRef& guest,
                            const VolumeId& volume,
                            const std::string& name) override {
    return Around("RevertVolume", [&] { return real_.RevertVolume(call, guest, volume, name); });
  }
  absl::Status RemoveSnapshot(const Call& call,
                              const GuestRef& guest,
                              const VolumeId& volume,
                              const std::string& name) override {
    return Around("RemoveSnapshot",
                  [&] { return real_.RemoveSnapshot(call, guest, volume, name); });
  }
  absl::Status Reset(const Call& call, const GuestRef& guest) override {
    return Around("Reset", [&] { return real_.Reset(call, guest); });
  }
  absl::Status Remove(const Call& call, const GuestRef& guest) override {
    return Around("Remove", [&] { return real_.Remove(call, guest); });
  }
  absl::Status ReplaceAgent(const Call& call, const GuestRef& guest) override {
    return real_.ReplaceAgent(call, guest);
  }
  absl::StatusOr<std::vector<ObservedGuest>> List(const Call& call) override {
    return real_.List(call);
  }
  absl::StatusOr<std::vector<VolumeId>> ListVolumes(const Call& call) override {
    return real_.ListVolumes(call);
  }
  absl::StatusOr<std::vector<std::string>> Sweep(
      const Call& call,
      const std::function<absl::StatusOr<bool>(const GuestId&)>& is_buried) override {
    return real_.Sweep(call, is_buried);
  }
  void OnGuestEnded(std::function<void(const GuestId&)> heard) override {
    real_.OnGuestEnded(std::move(heard));
  }

 private:
  template <typename F>
  auto Around(const std::string& method, F call) -> decltype(call()) {
    faults::Reach("before " + method);
    if (faults::ShallFail(method)) return absl::UnavailableError(method + " was told to fail");
    auto result = call();
    faults::Reach("after " + method);
    return result;
  }

  Provisioner& real_;
};

}  // namespace trove::taskmanager
