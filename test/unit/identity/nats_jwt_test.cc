#include "libtrove/identity/nats_jwt.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "libtrove/identity/base_encoding.h"

namespace trove::identity {
namespace {

namespace json = boost::json;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

NKey NewKey(NKeyKind kind) {
  auto key = NKey::Generate(kind);
  REQUIRE(key.ok());
  return *std::move(key);
}

json::value ClaimsOf(const std::string& jwt) {
  const std::size_t first = jwt.find('.');
  const std::size_t last = jwt.rfind('.');
  const auto body = FromBase64Url(jwt.substr(first + 1, last - first - 1));
  REQUIRE(body.has_value());
  return json::parse(json::string_view(body->data(), body->size()));
}

NatsUserClaims UserClaims(const NKey& user, const NKey& account) {
  NatsUserClaims claims;
  claims.name = "guest";
  claims.user = user.public_key();
  claims.account = account.public_key();
  claims.permissions.publish_allow = {"a.b"};
  claims.permissions.subscribe_allow = {"c.>"};
  claims.permissions.subscribe_deny = {"c.d"};
  claims.permissions.most_responses = 1;
  claims.permissions.response_time = absl::Seconds(60);
  claims.expires = kNow + absl::Hours(24);
  return claims;
}

TEST_CASE("a user's JWT carries exactly its permissions", "[unit][identity]") {
  const NKey account = NewKey(NKeyKind::kAccount);
  const NKey signing = NewKey(NKeyKind::kAccount);
  const NKey user = NewKey(NKeyKind::kUser);
  const auto jwt = MakeNatsUserJwt(signing, UserClaims(user, account), kNow);
  REQUIRE(jwt.ok());
  CHECK(jwt->starts_with(Base64Url(R"({"typ":"JWT","alg":"ed25519-nkey"})") + "."));

  json::object claims = ClaimsOf(*jwt).as_object();
  CHECK(claims["jti"].as_string().size() == 52);
  CHECK(claims["iat"].as_int64() == 1'800'000'000);
  CHECK(claims["exp"].as_int64() == 1'800'086'400);
  const json::object want = {
      {"type", "user"},
      {"pub", {{"allow", {"a.b"}}}},
      {"sub", {{"allow", {"c.>"}}, {"deny", {"c.d"}}}},
      {"resp", {{"max", 1}, {"ttl", 60'000'000'000}}},
      {"subs", -1},
      {"data", -1},
      {"payload", -1},
      {"issuer_account", account.public_key()},
      {"version", 2},
  };
  CHECK(json::serialize(claims["nats"]) == json::serialize(want));

  const auto facts = ReadNatsJwt(*jwt);
  REQUIRE(facts.ok());
  CHECK(facts->name == "guest");
  CHECK(facts->subject == user.public_key());
  CHECK(facts->issuer == signing.public_key());
  CHECK(facts->issuer_account == account.public_key());
  CHECK(facts->issued_at == kNow);
  CHECK(facts->expires == kNow + absl::Hours(24));
}

TEST_CASE("an empty permission allows nothing", "[unit][identity]") {
  const NKey account = NewKey(NKeyKind::kAccount);
  NatsUserClaims claims = UserClaims(NewKey(NKeyKind::kUser), account);
  claims.permissions = NatsPermissions();
  const auto jwt = MakeNatsUserJwt(account, claims, kNow);
  REQUIRE(jwt.ok());
  const json::value value = ClaimsOf(*jwt);
  const json::object& nats = value.as_object().at("nats").as_object();
  CHECK(json::serialize(nats.at("pub")) == R"({"deny":[">"]})");
  CHECK(json::serialize(nats.at("sub")) == R"({"deny":[">"]})");
  CHECK_FALSE(nats.contains("resp"));
  CHECK_FALSE(nats.contains("issuer_account"));
}

TEST_CASE("an account's JWT carries its limits, signing keys and revocations", "[unit][identity]") {
  const NKey root = NewKey(NKeyKind::kOperator);
  const NKey account = NewKey(NKeyKind::kAccount);
  const NKey signing = NewKey(NKeyKind::kAccount);
  const NKey user = NewKey(NKeyKind::kUser);
  NatsAccountClaims claims;
  claims.name = "mesh";
  claims.account = account.public_key();
  claims.signing_keys = {signing.public_key()};
  claims.revocations = {{user.public_key(), kNow}};
  const auto jwt = MakeNatsAccountJwt(root, claims, kNow);
  REQUIRE(jwt.ok());
  const json::value value = ClaimsOf(*jwt);
  const json::object& nats = value.as_object().at("nats").as_object();
  CHECK(nats.at("signing_keys").as_array().at(0).as_string() == signing.public_key());
  CHECK(nats.at("revocations").as_object().at(user.public_key()).as_int64() == 1'800'000'000);
  CHECK(nats.at("limits").as_object().at("disk_storage").as_int64() == -1);
  claims.jetstream = false;
  const auto system = MakeNatsAccountJwt(root, claims, kNow);
  REQUIRE(system.ok());
  const json::value system_value = ClaimsOf(*system);
  CHECK_FALSE(system_value.at("nats").at("limits").as_object().contains("disk_storage"));
}

TEST_CASE("a JWT is made with keys of the right kind alone", "[unit][identity]") {
  const NKey root = NewKey(NKeyKind::kOperator);
  const NKey account = NewKey(NKeyKind::kAccount);
  const NKey user = NewKey(NKeyKind::kUser);
  NatsAccountClaims account_claims;
  account_claims.account = account.public_key();
  CHECK(MakeNatsAccountJwt(root, account_claims, kNow).ok());
  CHECK(absl::IsInvalidArgument(MakeNatsAccountJwt(account, account_claims, kNow).status()));
  account_claims.signing_keys = {user.public_key()};
  CHECK(absl::IsInvalidArgument(MakeNatsAccountJwt(root, account_claims, kNow).status()));
  account_claims.signing_keys = {};
  account_claims.revocations = {{"everybody", kNow}};
  CHECK(absl::IsInvalidArgument(MakeNatsAccountJwt(root, account_claims, kNow).status()));

  CHECK(MakeNatsOperatorJwt(root, {"trove", account.public_key()}, kNow).ok());
  CHECK(absl::IsInvalidArgument(
      MakeNatsOperatorJwt(account, {"trove", account.public_key()}, kNow).status()));
  CHECK(absl::IsInvalidArgument(
      MakeNatsOperatorJwt(root, {"trove", user.public_key()}, kNow).status()));

  CHECK(absl::IsInvalidArgument(MakeNatsUserJwt(root, UserClaims(user, account), kNow).status()));
  CHECK(absl::IsInvalidArgument(
      MakeNatsUserJwt(account, UserClaims(account, account), kNow).status()));
}

TEST_CASE("a JWT that was changed is refused", "[unit][identity]") {
  const NKey account = NewKey(NKeyKind::kAccount);
  const auto jwt = MakeNatsUserJwt(account, UserClaims(NewKey(NKeyKind::kUser), account), kNow);
  REQUIRE(jwt.ok());
  const std::size_t first = jwt->find('.');
  const std::size_t last = jwt->rfind('.');
  json::object claims = ClaimsOf(*jwt).as_object();
  claims["exp"] = 1'900'000'000;
  const std::string forged =
      jwt->substr(0, first + 1) + Base64Url(json::serialize(claims)) + jwt->substr(last);
  CHECK(absl::IsUnauthenticated(ReadNatsJwt(forged).status()));
  CHECK(absl::IsInvalidArgument(ReadNatsJwt("").status()));
  CHECK(absl::IsInvalidArgument(ReadNatsJwt("a.b").status()));
  CHECK(absl::IsInvalidArgument(ReadNatsJwt("a.b.c").status()));
  CHECK(absl::IsInvalidArgument(ReadNatsJwt(jwt->substr(0, last)).status()));
}

TEST_CASE("the text of a creds file is read back", "[unit][identity]") {
  const NKey user = NewKey(NKeyKind::kUser);
  const Secret text = NatsCredsText({"header.claims.signature", user.seed()});
  const auto again = ParseNatsCreds(text);
  REQUIRE(again.ok());
  CHECK(again->jwt == "header.claims.signature");
  CHECK(again->seed == user.seed());
  CHECK(absl::IsInvalidArgument(ParseNatsCreds(Secret("")).status()));
  CHECK(absl::IsInvalidArgument(
      ParseNatsCreds(Secret(text.Reveal().substr(0, text.Reveal().size() / 2))).status()));
}

TEST_CASE("base32 and base64 follow RFC 4648 and have one text a value", "[unit][identity]") {
  const auto [bytes, base32, base64] = GENERATE(table<std::string, std::string, std::string>({
      {"", "", ""},
      {"f", "MY", "Zg"},
      {"fo", "MZXQ", "Zm8"},
      {"foo", "MZXW6", "Zm9v"},
      {"foob", "MZXW6YQ", "Zm9vYg"},
      {"fooba", "MZXW6YTB", "Zm9vYmE"},
      {"foobar", "MZXW6YTBOI", "Zm9vYmFy"},
      {"\xff\xef", "77XQ", "_-8"},
  }));
  CHECK(Base32(bytes) == base32);
  CHECK(FromBase32(base32) == bytes);
  CHECK(Base64Url(bytes) == base64);
  CHECK(FromBase64Url(base64) == bytes);
  CHECK_FALSE(FromBase32("MZ").has_value());  // spare bits set
  CHECK_FALSE(FromBase32("mzxw6").has_value());
  CHECK_FALSE(FromBase64Url("Zg==").has_value());
  CHECK_FALSE(FromBase64Url("Z").has_value());
  CHECK_FALSE(FromBase64Url("+/8").has_value());
}

}  // namespace
}  // namespace trove::identity
