#include <skiff/base/strings.h>

#include "admission/plugin.h"

namespace skiff::admission {

namespace {

// Nothing is made in a namespace that is not there or is going. Immutable.
class NamespaceLifecycle final : public Plugin {
 public:
  explicit NamespaceLifecycle(const Options& options) : reader_(*options.reader) {}

  base::Task<api::Outcome<>> mutate(const Attributes& a, codec::Json&,
                                    const codec::Json&) const override {
    co_return check(a);
  }

 private:
  static bool is_immortal(std::string_view name) {
    return name == "default" || name == "kube-system" || name == "kube-public";
  }

  api::Outcome<> check(const Attributes& a) const {
    const bool is_namespace = a.resource->group.empty() && a.resource->resource == "namespaces";
    if (a.operation == Operation::remove) {
      if (is_namespace && is_immortal(a.name)) {
        return api::forbidden_error("", "namespaces", a.name, "this namespace may not be deleted");
      }
      return api::Done{};
    }
    if (a.operation == Operation::connect || is_namespace || a.namespace_name.empty()) {
      return api::Done{};
    }
    auto found = reader_.get("", "namespaces", {}, a.namespace_name);
    if (found.empty()) return api::not_found_error("", "namespaces", a.namespace_name);
    if (a.operation != Operation::create) return api::Done{};
    if (api::scan_string(found.text(), {"metadata", "deletionTimestamp"})) {
      auto error =
          api::forbidden_error(a.resource->group, a.resource->resource, a.name,
                               base::concat("unable to create new content in namespace ",
                                            a.namespace_name, " because it is being terminated"));
      error.causes.push_back({"NamespaceTerminating",
                              base::concat("namespace ", a.namespace_name, " is being terminated"),
                              "metadata.namespace"});
      return error;
    }
    return api::Done{};
  }

  const auth::ObjectReader& reader_;
};

}  // namespace

std::unique_ptr<Plugin> make_namespace_lifecycle(const Options& options) {
  return std::make_unique<NamespaceLifecycle>(options);
}

}  // namespace skiff::admission
