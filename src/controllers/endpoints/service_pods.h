// What the two endpoint controllers share: keys are Services, pods lead to them by selectors.
#pragma once

#include "controllers/common/controller.h"

namespace skiff::controllers {

class ServicePodsController : public KeyedController {
 public:
  explicit ServicePodsController(Context& context);

 protected:
  std::vector<JsonPtr> pods_of(const Json& service) const;
  std::string zone_of(std::string_view node) const;

  client::Informer& services_;
  client::Informer& pods_;
  client::Informer& nodes_;

 private:
  void enqueue_services_of(const api::StoredObject& pod);
};

}  // namespace skiff::controllers
