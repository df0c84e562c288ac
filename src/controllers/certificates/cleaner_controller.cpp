#include <algorithm>

#include "controllers/certificates/plan_cleanup.h"
#include "controllers/certificates/signing_requests.h"
#include "controllers/list_of_controllers.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;

// Removes CertificateSigningRequests that are answered, or that nobody answers. Keys are names.
class CleanerController final : public KeyedController {
 public:
  explicit CleanerController(Context& context)
      : KeyedController(context), requests_(needs(kSigningRequests)) {
    enqueue_on_change(kSigningRequests);
  }
  std::string_view name() const override { return "csrcleaner"; }

 private:
  Task<Status> sync(std::string key) override {
    JsonPtr csr = context_.find(requests_, key);
    if (!csr || api::is_being_deleted(*csr)) co_return Status::ok();
    auto rest = rest_of_life(*csr, context_.now(), context_.age_of());
    if (!rest) co_return Status::ok();
    if (rest->count() > 0) {
      // Stamps have whole seconds.
      queue_->add_after(std::move(key), std::max<base::Duration>(*rest, std::chrono::seconds(1)));
      co_return Status::ok();
    }
    client::DeleteOptions options;
    options.uid = api::uid_of(*csr);
    auto removing = context_.client.remove(kSigningRequests, "", std::move(key), options);
    auto removed = co_await std::move(removing);
    co_return removed.code() == base::Code::not_found ? Status::ok() : removed;
  }

  client::Informer& requests_;
};

}  // namespace

std::unique_ptr<Controller> make_cleaner_controller(Context& context) {
  return std::make_unique<CleanerController>(context);
}

}  // namespace skiff::controllers
