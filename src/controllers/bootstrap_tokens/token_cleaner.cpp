#include <skiff/api/bootstrap_token.h>

#include <skiff/base/strings.h>

#include <algorithm>
#include <optional>

#include "controllers/common/objects.h"
#include "controllers/list_of_controllers.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::secrets;

bool is_bootstrap_token(const api::StoredObject& secret) {
  return secret.namespace_name() == api::kBootstrapTokenNamespace &&
         api::scan_string(secret.text(), {"type"}).value_or("") == api::kBootstrapTokenType;
}

// Deletes bootstrap tokens whose time is over. Keys are those of Secrets.
class TokenCleaner final : public KeyedController {
 public:
  explicit TokenCleaner(Context& context) : KeyedController(context), secrets_(needs(secrets)) {
    watch(secrets, [this](const api::StoredObject&, const api::StoredObject& after) {
      if (after.empty() || !is_bootstrap_token(after)) return;
      queue_->add(base::concat(after.namespace_name(), '/', after.name()));
    });
  }
  std::string_view name() const override { return "token-cleaner-controller"; }

 private:
  Task<Status> sync(std::string key) override {
    auto stored = secrets_.get(key);
    if (stored.empty() || !is_bootstrap_token(stored)) co_return Status::ok();
    JsonPtr secret = context_.find(secrets_, key);
    if (!secret) co_return Status::ok();
    const auto rest = api::bootstrap_token_rest(*secret, context_.now(), context_.ages.reader());
    if (!rest || rest->count() > 0) {
      if (rest) queue_->add_after(std::move(key), *rest);
      co_return Status::ok();
    }
    client::DeleteOptions options;
    options.uid = api::uid_of(*secret);
    auto removing = context_.client.remove(secrets, std::string(api::namespace_of(*secret)),
                                           std::string(api::name_of(*secret)), options);
    auto removed = co_await std::move(removing);
    const bool settled =
        removed.code() == base::Code::not_found || removed.code() == base::Code::conflict;
    co_return settled ? Status::ok() : removed;
  }

  client::Informer& secrets_;
};

}  // namespace

std::unique_ptr<Controller> make_token_cleaner(Context& context) {
  return std::make_unique<TokenCleaner>(context);
}

}  // namespace skiff::controllers
