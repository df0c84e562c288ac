// One plug-in of the chain. chain.cpp lists them in order.
#pragma once

#include <skiff/admission/admission.h>

#include <memory>

namespace skiff::admission {

// Immutable.
class Plugin {
 public:
  virtual ~Plugin() = default;
  virtual base::Task<api::Outcome<>> mutate(const Attributes& attributes, codec::Json& object,
                                            const codec::Json& live) const;
  virtual base::Task<api::Outcome<>> validate(const Attributes& attributes,
                                              const codec::Json& object,
                                              const codec::Json& live) const;
};

std::unique_ptr<Plugin> make_namespace_lifecycle(const Options& options);
std::unique_ptr<Plugin> make_service_account(const Options& options);
std::unique_ptr<Plugin> make_node_restriction(const Options& options);
std::unique_ptr<Plugin> make_priority();
std::unique_ptr<Plugin> make_runtime_class();
std::unique_ptr<Plugin> make_default_toleration_seconds();

std::unique_ptr<Plugin> make_certificate_approval(const Options& options);
std::unique_ptr<Plugin> make_certificate_signing(const Options& options);
std::unique_ptr<Plugin> make_certificate_subject_restriction();

// Whether the request creates a pod itself, not one of its subresources.
inline bool creates_pod(const Attributes& a) {
  return a.operation == Operation::create && a.resource->group.empty() &&
         a.resource->resource == "pods" && a.subresource.empty();
}

}  // namespace skiff::admission
