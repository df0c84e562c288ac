// Acting as another. Constrained modes come first: `impersonate:<mode>` says as whom, and
// `impersonate-on:<mode>:<verb>` for what. The old way, `impersonate`, is for everything.
#include <skiff/api/node_user.h>
#include <skiff/api/validation.h>
#include <skiff/base/strings.h>

#include <algorithm>

#include "apiserver/filters/filters.h"
#include "apiserver/limits.h"

namespace skiff::apiserver {

namespace {

constexpr std::string_view kUser = "Impersonate-User";
constexpr std::string_view kUid = "Impersonate-Uid";
constexpr std::string_view kGroup = "Impersonate-Group";
constexpr std::string_view kExtraPrefix = "impersonate-extra-";
constexpr std::string_view kAccountPrefix = "system:serviceaccount:";
constexpr std::string_view kNodeNameExtra = "authentication.kubernetes.io/node-name";
constexpr std::string_view kAuthenticationGroup = "authentication.k8s.io";

// Namespace and name of "system:serviceaccount:<namespace>:<name>"; both empty for other users.
std::pair<std::string_view, std::string_view> account_of(std::string_view user) {
  if (!user.starts_with(kAccountPrefix)) return {};
  auto rest = user.substr(kAccountPrefix.size());
  auto colon = rest.find(':');
  if (colon == rest.npos || rest.find(':', colon + 1) != rest.npos) return {};
  auto where = rest.substr(0, colon);
  auto name = rest.substr(colon + 1);
  if (where.empty() || name.empty()) return {};
  return {where, name};
}
bool is_account(std::string_view user) { return !account_of(user).second.empty(); }

// The node of "system:node:<name>"; empty for other users.
std::string_view node_of(std::string_view user) {
  if (!user.starts_with(api::kNodeUserPrefix)) return {};
  auto name = user.substr(api::kNodeUserPrefix.size());
  return api::check_dns1123_subdomain(name).empty() ? name : std::string_view();
}

bool is_only_name(const auth::User& user) {
  return user.uid.empty() && user.groups.empty() && user.extra.empty();
}

// An account whose token is bound to the node, by the pod that runs there.
bool is_at_node(const auth::User& caller, std::string_view node) {
  if (node.empty() || !is_account(caller.name)) return false;
  for (const auto& [key, values] : caller.extra) {
    if (key == kNodeNameExtra) return values.size() == 1 && values[0] == node;
  }
  return false;
}

struct Mode {
  std::string_view name;  // empty: the old way
  bool (*applies)(const auth::User& wanted, const auth::User& caller);
  bool constrained() const { return !name.empty(); }
};
constexpr std::string_view kAssociatedNode = "associated-node";
constexpr Mode kModes[] = {
    {kAssociatedNode,
     [](const auth::User& wanted, const auth::User& caller) {
       return is_only_name(wanted) && is_at_node(caller, node_of(wanted.name));
     }},
    {"arbitrary-node",
     [](const auth::User& wanted, const auth::User&) {
       return is_only_name(wanted) && !node_of(wanted.name).empty();
     }},
    {"serviceaccount",
     [](const auth::User& wanted, const auth::User&) {
       return is_only_name(wanted) && is_account(wanted.name);
     }},
    {"user-info",
     [](const auth::User& wanted, const auth::User&) {
       return node_of(wanted.name).empty() && !is_account(wanted.name);
     }},
    {"", [](const auth::User&, const auth::User&) { return true; }},
};

// The checks of one mode: may the caller be what `wanted` names. Lives as long as its request.
class ModeCheck {
 public:
  ModeCheck(const RequestContext& context, const Mode& mode)
      : context_(context),
        mode_(mode),
        verb_(mode.constrained() ? base::concat("impersonate:", mode.name) : "impersonate") {}

  // The user to be, with the groups that follow from the name.
  api::Outcome<auth::User> run(auth::User wanted) const {
    if (mode_.constrained()) SKIFF_CHECK(check_request());
    SKIFF_CHECK(check_name(wanted.name));
    if (!wanted.uid.empty()) {
      SKIFF_CHECK(check_part(kAuthenticationGroup, "uids", wanted.uid));
    }
    SKIFF_CHECK(check_groups(wanted.groups));
    SKIFF_CHECK(check_extra(wanted));
    add_implied_groups(wanted);
    return wanted;
  }

 private:
  std::string_view identity_group() const {
    return mode_.constrained() ? kAuthenticationGroup : std::string_view();
  }
  auth::Attributes attributes(std::string_view group, std::string_view resource,
                              std::string_view name) const {
    auth::Attributes a;
    a.user = &context_.user;
    a.verb = verb_;
    a.is_resource = true;
    a.group = group;
    a.version = "v1";
    a.resource = resource;
    a.name = name;
    return a;
  }
  api::Outcome<> check_part(std::string_view group, std::string_view resource,
                            std::string_view name) const {
    return check_allowed(context_, attributes(group, resource, name));
  }

  // What the caller is about to do while being somebody else.
  api::Outcome<> check_request() const {
    const auto verb = base::concat("impersonate-on:", mode_.name, ":", context_.info.verb);
    auto a = authorizer_attributes(context_);
    a.verb = verb;
    return check_allowed(context_, a);
  }

  api::Outcome<> check_name(std::string_view name) const {
    auto a = attributes(identity_group(), "users", name);
    if (const auto node = node_of(name); mode_.constrained() && !node.empty()) {
      a.resource = "nodes";
      a.name = mode_.name == kAssociatedNode ? "*" : node;
    }
    if (const auto [where, account] = account_of(name); !account.empty()) {
      a.resource = "serviceaccounts";
      a.namespace_name = where;
      a.name = account;
    }
    return check_allowed(context_, a);
  }

  api::Outcome<> check_groups(const std::vector<std::string>& groups) const {
    auto a = attributes(identity_group(), "groups", "");
    if (mode_.constrained()) {
      for (const auto& group : groups) {
        if (group.empty()) {
          return not_allowed(a, "impersonating the empty string group is not allowed");
        }
        if (group == auth::kMastersGroup) {
          a.name = group;
          return not_allowed(a, "impersonating the system:masters group is not allowed");
        }
      }
      if (groups.size() >= kImpersonatedAtOnce) {
        a.name = "*";
        if (check_allowed(context_, a).is_ok()) return api::Done{};
      }
    }
    for (const auto& group : groups) {
      a.name = group;
      SKIFF_CHECK(check_allowed(context_, a));
    }
    return api::Done{};
  }

  api::Outcome<> check_extra(const auth::User& wanted) const {
    auto a = attributes(kAuthenticationGroup, "userextras", "");
    std::size_t values_count = 0;
    for (const auto& [key, values] : wanted.extra) {
      values_count += values.size();
      if (!mode_.constrained()) continue;
      if (auto problem = extra_problem(key, values); !problem.empty()) {
        return not_allowed(a, problem);
      }
    }
    if (mode_.constrained() && values_count >= kImpersonatedAtOnce) {
      a.subresource = "*";
      a.name = "*";
      if (check_allowed(context_, a).is_ok()) return api::Done{};
    }
    for (const auto& [key, values] : wanted.extra) {
      a.subresource = key;
      for (const auto& value : values) {
        a.name = value;
        SKIFF_CHECK(check_allowed(context_, a));
      }
    }
    return api::Done{};
  }

  static std::string extra_problem(std::string_view key, const std::vector<std::string>& values) {
    if (key.empty()) return "impersonating the empty string key in extra is not allowed";
    auto slash = key.find('/');
    const bool is_path = slash != key.npos && slash + 1 < key.size() &&
                         api::check_dns1123_subdomain(key.substr(0, slash)).empty();
    if (!is_path) {
      return base::concat(
          "impersonating an invalid key in extra is not allowed: extra.key: Invalid "
          "value: ",
          base::quote(key), ": must be a domain-prefixed path (such as \"acme.io/foo\")");
    }
    if (std::find(values.begin(), values.end(), "") != values.end()) {
      return "impersonating the empty string value in extra is not allowed";
    }
    return {};
  }

  void add_implied_groups(auth::User& user) const {
    if (const auto [where, account] = account_of(user.name);
        !account.empty() && user.groups.empty()) {
      user.groups = {"system:serviceaccounts", base::concat("system:serviceaccounts:", where)};
    }
    if (mode_.constrained() && !node_of(user.name).empty()) {
      user.groups = {std::string(auth::kNodesGroup)};
    }
    if (user.in_group(auth::kUnauthenticatedGroup)) return;
    const bool anonymous = user.name == auth::kAnonymousUser;
    const auto group = anonymous ? auth::kUnauthenticatedGroup : auth::kAuthenticatedGroup;
    if (!user.in_group(group)) user.groups.emplace_back(group);
  }

  const RequestContext& context_;
  const Mode& mode_;
  const std::string verb_;
};

// The user that the headers ask for, with what they name and nothing implied.
api::Outcome<auth::User> asked_user(const http::Headers& headers) {
  auth::User user;
  user.name = headers.get(kUser);
  user.uid = headers.get(kUid);
  for (auto group : headers.get_all(kGroup)) user.groups.emplace_back(group);
  for (const auto& [name, value] : headers.fields()) {
    auto lower = base::to_lower(name);
    if (!lower.starts_with(kExtraPrefix)) continue;
    // A key that is no escaped text stays as it is.
    const std::string raw = lower.substr(kExtraPrefix.size());
    auto decoded = http::percent_decode(raw);
    const std::string key = decoded.is_ok() ? *decoded : raw;
    auto same = std::find_if(user.extra.begin(), user.extra.end(),
                             [&](const auto& extra) { return extra.first == key; });
    if (same == user.extra.end()) same = user.extra.insert(same, {key, {}});
    same->second.push_back(value);
  }
  if (user.name.empty() && !is_only_name(user)) {
    return api::bad_request_error("requested impersonation without impersonating a user name");
  }
  return user;
}

}  // namespace

api::Outcome<> filter_impersonate(RequestContext& context) {
  SKIFF_TRY(const auto wanted, asked_user(context.request.headers));
  if (wanted.name.empty()) return api::Done{};
  std::optional<api::ApiError> first_error;
  for (const auto& mode : kModes) {
    if (!mode.applies(wanted, context.user)) continue;
    auto user = ModeCheck(context, mode).run(wanted);
    if (user.is_ok()) {
      context.user = std::move(user).value();
      return api::Done{};
    }
    if (!first_error) first_error = user.error();
  }
  SKIFF_ASSERT(first_error.has_value());
  return *first_error;
}

}  // namespace skiff::apiserver
