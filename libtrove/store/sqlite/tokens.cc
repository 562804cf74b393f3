#include "libtrove/store/sqlite/tokens.h"

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/audit.h"
#include "libtrove/store/sqlite/requests.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {

absl::Status PutToken(Transaction& tx, const TokenRecord& token) {
  // Each new one sweeps a few that have ended, so that they never pile up.
  TROVE_RETURN_IF_ERROR(SweepTokens(tx, 10).status());
  return Run(tx.db,
             "INSERT INTO tokens (hash, project_id, user, roles, expires_at) "
             "VALUES (?, ?, ?, ?, ?) ON CONFLICT (hash) DO UPDATE SET "
             "project_id = excluded.project_id, user = excluded.user, roles = excluded.roles, "
             "expires_at = excluded.expires_at",
             token.hash,
             token.project_id,
             token.user,
             token.roles,
             token.expires_at);
}

absl::StatusOr<std::string> PutTokenOnce(Transaction& tx,
                                         const Requester& requester,
                                         const TokenRecord& token,
                                         const std::string& answer) {
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  const Acceptance acceptance{"CreateToken", "tokens", {}, earlier.has_value()};
  TROVE_RETURN_IF_ERROR(AuditAccepted(tx, requester, acceptance));
  if (earlier) return earlier->answer;
  TROVE_RETURN_IF_ERROR(PutToken(tx, token));
  TROVE_RETURN_IF_ERROR(SaveRequest(tx, requester, {{}, {}, acceptance.resource, answer}));
  return answer;
}

absl::StatusOr<int> SweepTokens(Transaction& tx, int limit) {
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "DELETE FROM tokens WHERE hash IN (SELECT hash FROM tokens "
                            "WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
                            tx.now,
                            limit));
  return tx.db.changes();
}

absl::StatusOr<TokenRecord> FindToken(Transaction& tx, const std::string& hash) {
  Statement row(tx.db,
                "SELECT hash, project_id, user, roles, expires_at FROM tokens "
                "WHERE hash = ? AND expires_at > ?",
                hash,
                tx.now);
  TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) {
    return MakeError(Reason::kUnauthenticated,
                     "the token is unknown or has ended: ask for a new one");
  }
  TokenRecord token;
  row.Read(token.hash, token.project_id, token.user, token.roles, token.expires_at);
  return token;
}

}  // namespace trove::sqlite
