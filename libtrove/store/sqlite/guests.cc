#include "libtrove/store/sqlite/guests.h"

#include <optional>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/locks.h"
#include "libtrove/store/sqlite/rows.h"
#include "libtrove/store/sqlite/signals.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

// One answer for every cause, so that nobody learns which guests exist.
absl::Status Refused() {
  return MakeError(
      Reason::kUnauthenticated,
      "enrolment refused: the token is unknown, has ended, or was used with other keys");
}

// Takes the token, once, for one set of keys.
absl::Status SpendToken(Transaction& tx, const EnrolmentRequest& request) {
  if (request.token_hash.empty() || request.keys_fingerprint.empty()) return Refused();
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "UPDATE guests SET enrolment_keys = ?3, sealing_public_key = ?4, nkey_public = ?5, "
          "enrolled_at = CASE WHEN enrolment_keys = '' THEN ?6 ELSE enrolled_at END "
          "WHERE id = ?1 AND enrolment_hash = ?2 AND enrolment_expires_at > ?6 "
          "AND enrolment_keys IN ('', ?3)",
          request.guest_id,
          request.token_hash,
          request.keys_fingerprint,
          Blob{request.sealing_public_key},
          request.nkey_public,
          tx.now));
  return tx.db.changes() > 0 ? absl::OkStatus() : Refused();
}

}  // namespace

absl::StatusOr<bool> IsBuried(Transaction& tx, const GuestId& guest) {
  Statement row(tx.db, "SELECT 1 FROM tombstones WHERE id = ? AND kind = 'guest'", guest);
  return row.Step();
}

absl::StatusOr<std::vector<Guest>> ListGuests(Transaction& tx,
                                              const std::string& placement_prefix) {
  static const std::string kSql = std::string("SELECT ") + kGuestColumns +
                                  " FROM guests g WHERE g.placement <> '' AND g.placement >= ?1 "
                                  "AND substr(g.placement, 1, length(?1)) = ?1 ORDER BY g.id";
  std::vector<Guest> guests;
  Statement row(tx.db, kSql, placement_prefix);
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return guests;
    Read(row, guests.emplace_back());
  }
}

absl::StatusOr<EnrolledGuest> EnrolGuest(Transaction& tx, const EnrolmentRequest& request) {
  static const std::string kSql = std::string("SELECT ") + kGuestColumns + ", " + kEndpointColumns +
                                  ", i.project_id FROM guests g "
                                  "JOIN instances i ON i.id = g.instance_id "
                                  "JOIN endpoints e ON e.instance_id = g.instance_id "
                                  "AND e.purpose = 'primary' WHERE g.id = ?";
  TROVE_RETURN_IF_ERROR(SpendToken(tx, request));
  EnrolledGuest enrolled;
  {
    Statement row(tx.db, kSql, request.guest_id);
    TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return Refused();
    Read(row, enrolled.guest);
    Read(row, enrolled.endpoint);
    row.Read(enrolled.project_id);
  }
  TROVE_ASSIGN_OR_RETURN(const std::optional<Holder> holder,
                         FindHolder(tx, enrolled.guest.instance_id));
  if (holder) {
    TROVE_RETURN_IF_ERROR(
        PostSignal(tx, holder->id, "guest.enrolled", request.guest_id.value()).status());
  }
  return enrolled;
}

}  // namespace trove::sqlite
