// Who is asking, and may they. Decisions are made against the latest objects, which the caller
// provides as an ObjectReader.
#pragma once

#include <skiff/api/node_user.h>
#include <skiff/api/object.h>
#include <skiff/api/selector.h>
#include <skiff/auth/nodes.h>
#include <skiff/base/clock.h>
#include <skiff/base/result.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skiff::auth {

struct User {
  std::string name;
  std::string uid;
  std::vector<std::string> groups;
  std::vector<std::pair<std::string, std::vector<std::string>>> extra;

  bool in_group(std::string_view group) const;
};

inline constexpr std::string_view kMastersGroup = "system:masters";
using api::kNodesGroup;
inline constexpr std::string_view kAuthenticatedGroup = "system:authenticated";
inline constexpr std::string_view kUnauthenticatedGroup = "system:unauthenticated";
inline constexpr std::string_view kNodeLeaseNamespace = "kube-node-lease";
inline constexpr std::string_view kAnonymousUser = "system:anonymous";
// A WebSocket's subprotocol that begins so is a token: browsers cannot set headers.
inline constexpr std::string_view kWebSocketBearer = "base64url.bearer.authorization.k8s.io.";

// Users that only this process can be.
User admin_user();                           // system:masters
User control_user(std::string_view name);    // "system:kube-controller-manager", …; masters
User node_user(std::string_view node_name);  // system:node:<name>
// A system:node:<name> user in system:nodes, and its node; empty for everybody else.
bool is_node(const User& user);
std::string_view node_name_of(const User& user);

// The latest objects, read without waiting. Thread-safe.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  // Empty when absent. `resource` is the stored one ("pods", "leases", …).
  virtual api::StoredObject get(std::string_view group, std::string_view resource,
                                std::string_view namespace_name, std::string_view name) const = 0;
  // Objects of a namespace (empty = all) until `visit` returns false.
  virtual void scan(std::string_view group, std::string_view resource,
                    std::string_view namespace_name,
                    base::UniqueFunction<bool(const api::StoredObject&)> visit) const = 0;
};

// What the transport proved and the client sent.
struct Credentials {
  std::string_view certificate_common_name;  // empty without a client certificate
  const std::vector<std::string>* certificate_organizations = nullptr;
  std::string_view certificate_fingerprint;
  std::string_view certificate_error;  // of one that is foreign, expired or for something else
  std::string_view authorization_header;
  std::string_view websocket_protocols;  // may carry base64url.bearer.authorization.k8s.io.<token>
};

struct Authenticated {
  User user;
  std::vector<std::string> audiences;  // of those asked for, the ones that a token is for
  std::vector<std::string> warnings;   // for the client
};

// Thread-safe.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // Errors: unauthenticated for credentials that are wrong, as long as no other is good. Without
  // credentials the answer is system:anonymous.
  virtual base::Result<Authenticated> authenticate(const Credentials& credentials) const = 0;
  // Whose a bearer token is, when it is for one of `audiences` (empty: for this API). Errors:
  // unauthenticated in upstream's words.
  virtual base::Result<Authenticated> authenticate_token(
      std::string_view token, const std::vector<std::string>& audiences) const = 0;
};

// One kind of bearer tokens. Thread-safe.
class TokenAuthenticator {
 public:
  virtual ~TokenAuthenticator() = default;
  // nullopt for a token of another kind. Errors: unauthenticated in upstream's words.
  virtual base::Result<std::optional<Authenticated>> authenticate_token(
      std::string_view token, const std::vector<std::string>& audiences) const = 0;
};
// Client certificates first, then bearer tokens of these kinds, which outlive it. `audiences` are
// those of this API.
std::unique_ptr<Authenticator> make_authenticator(std::vector<const TokenAuthenticator*> kinds,
                                                  std::vector<std::string> audiences);

struct Attributes {
  const User* user = nullptr;
  std::string_view verb;  // get, list, watch, create, update, patch, delete, deletecollection, …
  bool is_resource = false;
  std::string_view path;  // non-resource requests
  std::string_view group, version, resource, subresource, namespace_name, name;
  std::string_view field_selector;
  bool wants_reason = false;  // an allow says why
};

struct Decision {
  enum class Verdict : unsigned char { no_opinion, allow, deny };
  Verdict verdict = Verdict::no_opinion;
  std::string reason;
};

// Thread-safe.
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  virtual Decision authorize(const Attributes& attributes) const = 0;
};

// system:masters, then the paths for everybody, then nodes, then `rbac`. Both outlive the
// authorizer.
std::unique_ptr<Authorizer> make_authorizer(const PodSource& pods, const Authorizer& rbac);

// upstream's sentence: `User "x" cannot list resource "pods" in API group "" in the namespace "n"`.
std::string forbidden_detail(const Attributes& attributes, std::string_view reason);

}  // namespace skiff::auth
