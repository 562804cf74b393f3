#include "libtrove/store/sqlite/shards.h"

#include <cstdint>
#include <optional>

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite/workers.h"
#include "libtrove/store/store.h"

namespace trove {
namespace {

constexpr int kShards = 64;

}  // namespace

// FNV-1a: the same everywhere and for ever, because the number is stored.
int ShardOf(const GuestId& guest) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char byte : guest.value()) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 1099511628211U;
  }
  // The low bits of FNV are its weakest.
  return static_cast<int>((hash ^ (hash >> 32U)) % kShards);
}

namespace sqlite {
namespace {

struct Share {
  int conductors = 0;  // that live, the worker included
  int free = 0;        // shards that nobody alive holds
  bool judges = false;
  bool dead = false;  // a worker waits to be reaped

  int fair() const { return (kShards + conductors - 1) / conductors; }
};

absl::StatusOr<Share> LoadShare(Transaction& tx, const WorkerId& worker) {
  Statement row(tx.db,
                "SELECT (SELECT count(*) FROM workers WHERE judges = 1 AND ended = 0 "
                "AND expires_at > ?2 AND id <> ?1) + 1, "
                "(SELECT count(*) FROM shards WHERE worker_id IS NULL), "
                "coalesce((SELECT judges FROM workers WHERE id = ?1), 0), "
                "EXISTS (SELECT 1 FROM workers WHERE ended = 0 AND expires_at <= ?2)",
                worker,
                tx.now);
  TROVE_RETURN_IF_ERROR(row.Step().status());
  Share share;
  row.Read(share.conductors, share.free, share.judges, share.dead);
  return share;
}

absl::StatusOr<std::vector<int>> Held(Transaction& tx, const WorkerId& worker) {
  std::vector<int> held;
  Statement row(tx.db, "SELECT shard FROM shards WHERE worker_id = ? ORDER BY shard", worker);
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return held;
    row.Read(held.emplace_back());
  }
}

}  // namespace

absl::StatusOr<std::optional<std::vector<int>>> ShardsSettled(Transaction& tx,
                                                              const WorkerId& worker) {
  TROVE_RETURN_IF_ERROR(CheckWorker(tx, worker));
  std::optional<std::vector<int>> settled;
  TROVE_ASSIGN_OR_RETURN(const Share share, LoadShare(tx, worker));
  TROVE_ASSIGN_OR_RETURN(std::vector<int> held, Held(tx, worker));
  const int count = static_cast<int>(held.size());
  if (!share.judges || share.dead || count > share.fair()) return settled;
  if (count == share.fair() || share.free == 0) settled = std::move(held);
  return settled;
}

absl::StatusOr<std::vector<int>> ClaimShards(Transaction& tx, const WorkerId& worker) {
  TROVE_RETURN_IF_ERROR(CheckWorker(tx, worker));
  TROVE_RETURN_IF_ERROR(ReapWorkers(tx));
  TROVE_RETURN_IF_ERROR(Run(tx.db, "UPDATE workers SET judges = 1 WHERE id = ?", worker));
  TROVE_ASSIGN_OR_RETURN(const Share share, LoadShare(tx, worker));
  // What is over the fair share is left for those who came later.
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "UPDATE shards SET worker_id = NULL WHERE shard IN (SELECT shard "
                            "FROM shards WHERE worker_id = ? ORDER BY shard LIMIT -1 OFFSET ?)",
                            worker,
                            share.fair()));
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "UPDATE shards SET worker_id = ?1 WHERE shard IN (SELECT shard FROM shards "
          "WHERE worker_id IS NULL ORDER BY shard "
          "LIMIT max(0, ?2 - (SELECT count(*) FROM shards WHERE worker_id = ?1)))",
          worker,
          share.fair()));
  return Held(tx, worker);
}

absl::StatusOr<std::vector<GuestSummary>> ListShard(Transaction& tx,
                                                    const std::vector<int>& shards) {
  std::vector<GuestSummary> guests;
  for (const int shard : shards) {
    Statement row(tx.db,
                  "SELECT id, incarnation, sequence, service, silent_since FROM guests "
                  "WHERE shard = ? ORDER BY id",
                  shard);
    while (true) {
      TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
      if (!more) break;
      GuestSummary& guest = guests.emplace_back();
      row.Read(guest.guest_id, guest.incarnation, guest.sequence, guest.service);
      row.Read(guest.silent_since);
    }
  }
  return guests;
}

}  // namespace sqlite
}  // namespace trove
