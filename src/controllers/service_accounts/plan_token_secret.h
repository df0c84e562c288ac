// What a Secret of type kubernetes.io/service-account-token lacks. Pure.
#pragma once

#include <skiff/api/object.h>
#include <skiff/codec/json.h>

#include <string>
#include <string_view>

namespace skiff::controllers {

// Found by scanning the text, without a tree.
bool is_token_secret(const api::StoredObject& secret);
// The account that the Secret is made for; empty without.
std::string account_of(const api::StoredObject& secret);

// Whether the Secret is for this one: it names it, and its uid where it names one.
bool is_for_account(const codec::Json& secret, const codec::Json& account);

struct TokenSecretGaps {
  bool token = false, authority = false, namespace_name = false;
  bool any() const { return token || authority || namespace_name; }
};
TokenSecretGaps find_gaps(const codec::Json& secret, std::string_view root_ca_pem);

// Fills the gaps and names the account. `token` is used when it is a gap.
void fill_gaps(codec::Json& secret, const TokenSecretGaps& gaps, const codec::Json& account,
               std::string_view root_ca_pem, std::string_view token);

// Takes the Secret out of the account's list; whether it was there.
bool remove_reference(codec::Json& account, std::string_view secret);

}  // namespace skiff::controllers
