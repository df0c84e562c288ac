// The mutating and validating chain between decoding and the registry.
#pragma once

#include <skiff/api/kind.h>
#include <skiff/api/outcome.h>
#include <skiff/auth/auth.h>
#include <skiff/base/async.h>
#include <skiff/base/clock.h>
#include <skiff/base/random.h>
#include <skiff/codec/json.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::admission {

enum class Operation : unsigned char { create, update, remove, connect };

struct Attributes {
  Operation operation = Operation::create;
  const api::ResourceInfo* resource = nullptr;
  std::string_view subresource, namespace_name, name;
  const auth::User* user = nullptr;
  bool dry_run = false;
  std::vector<std::string>* warnings = nullptr;
};

// None is null; all outlive the chain.
struct Options {
  const auth::ObjectReader* reader = nullptr;
  const auth::Authorizer* authorizer = nullptr;
  base::Timers* timers = nullptr;  // a pod waits a moment for the account of a new namespace
  base::Random* random = nullptr;
};

// Thread-safe.
class Chain {
 public:
  virtual ~Chain() = default;
  // Changes `object` in place, or refuses before the rules of its kind are looked at (403 before
  // 422). `live` is null for a create; `object` is null for a delete.
  virtual base::Task<api::Outcome<>> mutate(Attributes attributes, codec::Json& object,
                                            const codec::Json& live) const = 0;
  // Sees what will be stored, after the rules of its kind.
  virtual base::Task<api::Outcome<>> validate(Attributes attributes, const codec::Json& object,
                                              const codec::Json& live) const = 0;
};

// Every plug-in in upstream's order: NamespaceLifecycle, ServiceAccount, NodeRestriction,
// Priority, DefaultTolerationSeconds, CertificateApproval, CertificateSigning,
// CertificateSubjectRestriction.
std::unique_ptr<Chain> make_chain(const Options& options);

}  // namespace skiff::admission
