#include "controllers/service_accounts/plan_token_secret.h"

#include <skiff/codec/base64.h>

#include <utility>

namespace skiff::controllers {

using codec::Json;

namespace {

constexpr std::string_view kType = "kubernetes.io/service-account-token";
constexpr std::string_view kAccountName = "kubernetes.io/service-account.name";
constexpr std::string_view kAccountUid = "kubernetes.io/service-account.uid";

}  // namespace

bool is_token_secret(const api::StoredObject& secret) {
  return api::scan_string(secret.text(), {"type"}).value_or("") == kType;
}

std::string account_of(const api::StoredObject& secret) {
  return api::scan_string(secret.text(), {"metadata", "annotations", kAccountName}).value_or("");
}

bool is_for_account(const Json& secret, const Json& account) {
  const auto uid = api::annotation(secret, kAccountUid);
  return api::annotation(secret, kAccountName) == api::name_of(account) &&
         (uid.empty() || uid == api::uid_of(account));
}

TokenSecretGaps find_gaps(const Json& secret, std::string_view root_ca_pem) {
  const Json& data = secret["data"];
  TokenSecretGaps gaps;
  gaps.token = data["token"].as_string().empty();
  gaps.namespace_name = data["namespace"].as_string().empty();
  gaps.authority =
      !root_ca_pem.empty() && data["ca.crt"].as_string() != codec::base64_encode(root_ca_pem);
  return gaps;
}

void fill_gaps(Json& secret, const TokenSecretGaps& gaps, const Json& account,
               std::string_view root_ca_pem, std::string_view token) {
  Json& data = secret["data"];
  if (gaps.authority) data.set("ca.crt", codec::base64_encode(root_ca_pem));
  if (gaps.namespace_name) {
    data.set("namespace", codec::base64_encode(api::namespace_of(account)));
  }
  if (gaps.token) data.set("token", codec::base64_encode(token));
  Json& annotations = secret["metadata"]["annotations"];
  annotations.set(kAccountName, api::name_of(account));
  annotations.set(kAccountUid, api::uid_of(account));
}

bool remove_reference(Json& account, std::string_view secret) {
  Json kept = Json::array();
  const Json& present = std::as_const(account)["secrets"];
  for (const auto& one : present.items()) {
    if (one["name"].as_string() != secret) kept.push_back(one);
  }
  if (kept.size() == present.size()) return false;
  if (kept.empty()) {
    account.erase("secrets");
  } else {
    account.set("secrets", std::move(kept));
  }
  return true;
}

}  // namespace skiff::controllers
