#include <skiff/base/strings.h>

#include "controllers/list_of_controllers.h"
#include "controllers/service_accounts/plan_token_secret.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::secrets;
using client::resources::service_accounts;

// Somebody else was faster, or it is gone: the informer will say so.
Status settled(const Status& status) {
  const bool raced =
      status.code() == base::Code::conflict || status.code() == base::Code::not_found;
  return raced ? Status::ok() : status;
}

// Fills Secrets that ask for the token of an account, and deletes them when the account is gone.
// Their authorities follow the trust of the cluster. Keys are those of Secrets.
class TokenSecretsController final : public KeyedController {
 public:
  TokenSecretsController(Context& context, RootCa root_ca, SignSecretToken sign)
      : KeyedController(context),
        secrets_(needs(secrets)),
        accounts_(needs(service_accounts)),
        root_ca_(std::move(root_ca)),
        sign_(std::move(sign)) {
    watch(secrets, [this](const api::StoredObject& before, const api::StoredObject& after) {
      const api::StoredObject& secret = after.empty() ? before : after;
      if (is_token_secret(secret)) add(secret);
    });
    watch(service_accounts,
          [this](const api::StoredObject& before, const api::StoredObject& after) {
            if (!before.empty() && !after.empty() && before.uid() == after.uid()) return;
            add_secrets_of(after.empty() ? before : after);
          });
  }
  std::string_view name() const override { return "serviceaccount-token-controller"; }

 private:
  void add(const api::StoredObject& secret) {
    queue_->add(base::concat(secret.namespace_name(), '/', secret.name()));
  }

  void add_secrets_of(const api::StoredObject& account) {
    for (const auto& secret : secrets_.list(account.namespace_name())) {
      if (is_token_secret(secret) && account_of(secret) == account.name()) add(secret);
    }
  }

  void started() override {
    if (root_ca_.may_change()) queue_->add_after(std::string(kTrustKey), kTrustCheckInterval);
  }

  void look_at_trust() {
    queue_->add_after(std::string(kTrustKey), kTrustCheckInterval);
    if (!root_ca_.refresh()) return;
    for (const auto& secret : secrets_.list()) {
      if (is_token_secret(secret)) add(secret);
    }
  }

  Task<Status> sync(std::string key) override {
    if (key == kTrustKey) {
      look_at_trust();
      co_return Status::ok();
    }
    auto stored = secrets_.get(key);
    if (stored.empty()) {
      auto forgetting = forget(std::move(key));
      co_return co_await std::move(forgetting);
    }
    if (!is_token_secret(stored)) co_return Status::ok();
    JsonPtr secret = context_.find(secrets_, key);
    if (!secret || api::is_being_deleted(*secret)) co_return Status::ok();
    auto finding = find_account(std::string(api::namespace_of(*secret)), account_of(stored));
    auto account = co_await std::move(finding);
    if (!account) co_return account.status();
    if (account->is_object() && is_for_account(*secret, *account)) {
      auto filling = fill(*secret, std::move(*account));
      co_return co_await std::move(filling);
    }
    client::DeleteOptions options;
    options.uid = api::uid_of(*secret);
    auto removing = context_.client.remove(secrets, std::string(api::namespace_of(*secret)),
                                           std::string(api::name_of(*secret)), options);
    auto removed = co_await std::move(removing);
    co_return settled(removed);
  }

  // Null when there is none. What the informer does not have yet is asked for: a Secret and its
  // account are often made together.
  Task<base::Result<Json>> find_account(std::string namespace_name, std::string name) {
    JsonPtr known = context_.find(accounts_, base::concat(namespace_name, '/', name));
    if (known) co_return *known;
    auto getting =
        context_.client.get(service_accounts, std::move(namespace_name), std::move(name));
    auto found = co_await std::move(getting);
    if (found.code() == base::Code::not_found) co_return Json();
    co_return found;
  }

  Task<Status> fill(Json secret, Json account) {
    const auto gaps = find_gaps(secret, root_ca_.pem());
    if (!gaps.any()) co_return Status::ok();
    std::string token;
    if (gaps.token) {
      auto made = sign_({std::string(api::namespace_of(secret)), std::string(api::name_of(secret)),
                         std::string(api::name_of(account)), std::string(api::uid_of(account))});
      if (!made) co_return made.status();
      token = std::move(*made);
    }
    fill_gaps(secret, gaps, account, root_ca_.pem(), token);
    auto updating = context_.client.update(secrets, std::move(secret));
    auto updated = co_await std::move(updating);
    co_return settled(updated.status());
  }

  // A Secret that is gone leaves the list of its account.
  Task<Status> forget(std::string key) {
    const auto [namespace_name, name] = split_key(key);
    for (const auto& stored : accounts_.list(namespace_name)) {
      if (stored.text().find("\"secrets\"") == std::string_view::npos) continue;
      auto tree = stored.parse();
      if (!tree || !remove_reference(*tree, name)) continue;
      auto updating = context_.client.update(service_accounts, std::move(*tree));
      auto updated = co_await std::move(updating);
      auto done = settled(updated.status());
      if (!done) co_return done;
    }
    co_return Status::ok();
  }

  // No name of a Secret.
  static constexpr std::string_view kTrustKey = "/trust";
  client::Informer& secrets_;
  client::Informer& accounts_;
  RootCa root_ca_;
  const SignSecretToken sign_;
};

}  // namespace

std::unique_ptr<Controller> make_token_secrets_controller(Context& context, RootCa root_ca,
                                                          SignSecretToken sign) {
  return std::make_unique<TokenSecretsController>(context, std::move(root_ca), std::move(sign));
}

}  // namespace skiff::controllers
