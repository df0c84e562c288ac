#include "admission/plugin.h"

namespace skiff::admission {

base::Task<api::Outcome<>> Plugin::mutate(const Attributes&, codec::Json&,
                                          const codec::Json&) const {
  co_return api::Done{};
}

base::Task<api::Outcome<>> Plugin::validate(const Attributes&, const codec::Json&,
                                            const codec::Json&) const {
  co_return api::Done{};
}

namespace {

// Immutable.
class PluginChain final : public Chain {
 public:
  explicit PluginChain(const Options& options) {
    plugins_.push_back(make_namespace_lifecycle(options));
    plugins_.push_back(make_service_account(options));
    plugins_.push_back(make_node_restriction(options));
    plugins_.push_back(make_priority());
    plugins_.push_back(make_runtime_class());
    plugins_.push_back(make_default_toleration_seconds());
    plugins_.push_back(make_certificate_approval(options));
    plugins_.push_back(make_certificate_signing(options));
    plugins_.push_back(make_certificate_subject_restriction());
  }

  base::Task<api::Outcome<>> mutate(Attributes attributes, codec::Json& object,
                                    const codec::Json& live) const override {
    for (const auto& plugin : plugins_) {
      auto task = plugin->mutate(attributes, object, live);
      SKIFF_CO_CHECK(co_await std::move(task));
    }
    co_return api::Done{};
  }

  base::Task<api::Outcome<>> validate(Attributes attributes, const codec::Json& object,
                                      const codec::Json& live) const override {
    for (const auto& plugin : plugins_) {
      auto task = plugin->validate(attributes, object, live);
      SKIFF_CO_CHECK(co_await std::move(task));
    }
    co_return api::Done{};
  }

 private:
  std::vector<std::unique_ptr<Plugin>> plugins_;
};

}  // namespace

std::unique_ptr<Chain> make_chain(const Options& options) {
  SKIFF_ASSERT(options.reader && options.authorizer && options.timers && options.random);
  return std::make_unique<PluginChain>(options);
}

}  // namespace skiff::admission
