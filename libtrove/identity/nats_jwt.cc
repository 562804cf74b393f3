#include "libtrove/identity/nats_jwt.h"

#include <cstdint>
#include <utility>

#include <boost/json.hpp>
#include <openssl/evp.h>

#include "libtrove/base/check.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/identity/base_encoding.h"

namespace trove::identity {
namespace {

namespace json = boost::json;

constexpr std::string_view kHeader = R"({"typ":"JWT","alg":"ed25519-nkey"})";
constexpr int kClaimsVersion = 2;
constexpr int kUnlimited = -1;

constexpr std::string_view kJwtBegin = "-----BEGIN NATS USER JWT-----";
constexpr std::string_view kJwtEnd = "------END NATS USER JWT------";
constexpr std::string_view kSeedBegin = "-----BEGIN USER NKEY SEED-----";
constexpr std::string_view kSeedEnd = "------END USER NKEY SEED------";

json::string_view View(std::string_view text) {
  return {text.data(), text.size()};
}

json::array Texts(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts)
    array.emplace_back(View(text));
  return array;
}

// SHA-512/256: what NATS's own tools put into `jti`.
std::string ClaimsId(std::string_view claims) {
  std::string digest(32, '\0');
  TROVE_CHECK(EVP_Digest(claims.data(),
                         claims.size(),
                         reinterpret_cast<unsigned char*>(digest.data()),
                         nullptr,
                         EVP_sha512_256(),
                         nullptr) == 1);
  return Base32(digest);
}

struct Envelope {
  std::string_view name;
  std::string_view subject;
  absl::Time now;
  std::optional<absl::Time> expires;
};

absl::StatusOr<std::string> SignClaims(const NKey& issuer,
                                       const Envelope& envelope,
                                       json::object nats) {
  json::object claims;
  claims["jti"] = "";
  claims["iat"] = absl::ToUnixSeconds(envelope.now);
  claims["iss"] = View(issuer.public_key());
  claims["name"] = View(envelope.name);
  claims["sub"] = View(envelope.subject);
  if (envelope.expires) claims["exp"] = absl::ToUnixSeconds(*envelope.expires);
  nats["version"] = kClaimsVersion;
  claims["nats"] = std::move(nats);
  claims["jti"] = View(ClaimsId(json::serialize(claims)));
  const std::string body = Base64Url(kHeader) + "." + Base64Url(json::serialize(claims));
  TROVE_ASSIGN_OR_RETURN(const std::string signature, issuer.Sign(body));
  return body + "." + Base64Url(signature);
}

json::object SubjectRule(const std::vector<std::string>& allow,
                         const std::vector<std::string>& deny) {
  json::object rule;
  // An empty list of what is allowed would allow everything.
  if (allow.empty()) {
    rule["deny"] = json::array{">"};
    return rule;
  }
  rule["allow"] = Texts(allow);
  if (!deny.empty()) rule["deny"] = Texts(deny);
  return rule;
}

absl::Status CheckKind(const NKey& key, NKeyKind kind, std::string_view what) {
  if (key.kind() == kind) return absl::OkStatus();
  return absl::InvalidArgumentError(std::string(what) + " is signed by a key of another kind");
}

// The lines between `begin` and `end`, or nothing.
std::string_view Between(std::string_view text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin);
  if (from == std::string_view::npos) return {};
  text.remove_prefix(from + begin.size());
  const std::size_t to = text.find(end);
  if (to == std::string_view::npos) return {};
  text = text.substr(0, to);
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

absl::Status NotAJwt() {
  return absl::InvalidArgumentError("the text is not a NATS JWT");
}

const json::value* Find(const json::object& object, std::string_view key) {
  return object.if_contains(View(key));
}

std::string TextIn(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr || !value->is_string()) return "";
  return std::string(value->get_string().data(), value->get_string().size());
}

std::optional<absl::Time> TimeIn(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  return absl::FromUnixSeconds(value->get_int64());
}

}  // namespace

absl::StatusOr<std::string> MakeNatsOperatorJwt(const NKey& operator_key,
                                                const NatsOperatorClaims& claims,
                                                absl::Time now) {
  TROVE_RETURN_IF_ERROR(CheckKind(operator_key, NKeyKind::kOperator, "an operator"));
  TROVE_RETURN_IF_ERROR(CheckNKeyPublicKey(NKeyKind::kAccount, claims.system_account));
  json::object nats;
  nats["type"] = "operator";
  nats["system_account"] = View(claims.system_account);
  return SignClaims(
      operator_key, {claims.name, operator_key.public_key(), now, std::nullopt}, std::move(nats));
}

absl::StatusOr<std::string> MakeNatsAccountJwt(const NKey& operator_key,
                                               const NatsAccountClaims& claims,
                                               absl::Time now) {
  TROVE_RETURN_IF_ERROR(CheckKind(operator_key, NKeyKind::kOperator, "an account"));
  TROVE_RETURN_IF_ERROR(CheckNKeyPublicKey(NKeyKind::kAccount, claims.account));
  for (const std::string& key : claims.signing_keys)
    TROVE_RETURN_IF_ERROR(CheckNKeyPublicKey(NKeyKind::kAccount, key));

  json::object limits;
  for (const char* limit : {"subs", "data", "payload", "imports", "exports", "conn", "leaf"})
    limits[limit] = kUnlimited;
  limits["wildcards"] = true;
  if (claims.jetstream) {
    for (const char* limit : {"mem_storage", "disk_storage", "streams", "consumer"})
      limits[limit] = kUnlimited;
  }
  json::object nats;
  nats["type"] = "account";
  nats["limits"] = std::move(limits);
  if (!claims.signing_keys.empty()) nats["signing_keys"] = Texts(claims.signing_keys);
  if (!claims.revocations.empty()) {
    json::object revocations;
    for (const auto& [user, until] : claims.revocations) {
      if (user != "*") TROVE_RETURN_IF_ERROR(CheckNKeyPublicKey(NKeyKind::kUser, user));
      revocations[View(user)] = absl::ToUnixSeconds(until);
    }
    nats["revocations"] = std::move(revocations);
  }
  return SignClaims(
      operator_key, {claims.name, claims.account, now, std::nullopt}, std::move(nats));
}

absl::StatusOr<std::string> MakeNatsUserJwt(const NKey& signing_key,
                                            const NatsUserClaims& claims,
                                            absl::Time now) {
  TROVE_RETURN_IF_ERROR(CheckKind(signing_key, NKeyKind::kAccount, "a user"));
  TROVE_RETURN_IF_ERROR(CheckNKeyPublicKey(NKeyKind::kUser, claims.user));
  TROVE_RETURN_IF_ERROR(CheckNKeyPublicKey(NKeyKind::kAccount, claims.account));
  const NatsPermissions& permissions = claims.permissions;
  json::object nats;
  nats["type"] = "user";
  nats["pub"] = SubjectRule(permissions.publish_allow, permissions.publish_deny);
  nats["sub"] = SubjectRule(permissions.subscribe_allow, permissions.subscribe_deny);
  if (permissions.most_responses > 0) {
    json::object responses;
    responses["max"] = permissions.most_responses;
    responses["ttl"] = absl::ToInt64Nanoseconds(permissions.response_time);
    nats["resp"] = std::move(responses);
  }
  nats["subs"] = permissions.most_subscriptions;
  nats["data"] = kUnlimited;
  nats["payload"] = kUnlimited;
  if (signing_key.public_key() != claims.account) nats["issuer_account"] = View(claims.account);
  return SignClaims(signing_key, {claims.name, claims.user, now, claims.expires}, std::move(nats));
}

absl::StatusOr<NatsJwtFacts> ReadNatsJwt(std::string_view jwt) {
  const std::size_t first = jwt.find('.');
  const std::size_t last = jwt.rfind('.');
  if (first == std::string_view::npos || first == last) return NotAJwt();
  const std::optional<std::string> header = FromBase64Url(jwt.substr(0, first));
  const std::optional<std::string> body = FromBase64Url(jwt.substr(first + 1, last - first - 1));
  const std::optional<std::string> signature = FromBase64Url(jwt.substr(last + 1));
  if (!header || !body || !signature) return NotAJwt();

  json::error_code error;
  const json::value header_value = json::parse(View(*header), error);
  if (error || !header_value.is_object() ||
      TextIn(header_value.get_object(), "alg") != "ed25519-nkey") {
    return NotAJwt();
  }
  const json::value value = json::parse(View(*body), error);
  if (error || !value.is_object()) return NotAJwt();
  const json::object& claims = value.get_object();

  NatsJwtFacts facts;
  facts.name = TextIn(claims, "name");
  facts.subject = TextIn(claims, "sub");
  facts.issuer = TextIn(claims, "iss");
  facts.expires = TimeIn(claims, "exp");
  const std::optional<absl::Time> issued_at = TimeIn(claims, "iat");
  if (!issued_at || facts.subject.empty()) return NotAJwt();
  facts.issued_at = *issued_at;
  const json::value* nats = Find(claims, "nats");
  if (nats == nullptr || !nats->is_object()) return NotAJwt();
  facts.issuer_account = TextIn(nats->get_object(), "issuer_account");
  TROVE_RETURN_IF_ERROR(VerifyNKeySignature(facts.issuer, jwt.substr(0, last), *signature));
  return facts;
}

Secret NatsCredsText(const NatsCredentials& credentials) {
  std::string text;
  text += std::string(kJwtBegin) + "\n" + credentials.jwt + "\n" + std::string(kJwtEnd) + "\n\n";
  text += std::string(kSeedBegin) + "\n" + credentials.seed.Reveal() + "\n" +
          std::string(kSeedEnd) + "\n";
  return Secret(std::move(text));
}

absl::StatusOr<NatsCredentials> ParseNatsCreds(const Secret& text) {
  const std::string_view jwt = Between(text.Reveal(), kJwtBegin, kJwtEnd);
  const std::string_view seed = Between(text.Reveal(), kSeedBegin, kSeedEnd);
  if (jwt.empty() || seed.empty()) {
    return absl::InvalidArgumentError("the text is not that of a NATS creds file");
  }
  return NatsCredentials{std::string(jwt), Secret(std::string(seed))};
}

}  // namespace trove::identity
