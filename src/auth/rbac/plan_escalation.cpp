// Whether somebody has all that they are about to give.
#include <skiff/auth/rbac.h>
#include <skiff/base/strings.h>

#include <algorithm>
#include <set>

#include "auth/limits.h"
#include "auth/rbac/plan_rbac.h"

namespace skiff::auth {

namespace {

using Words = PolicyRule::Words;

bool has(const Words& set, std::string_view word) {
  return std::find(set.begin(), set.end(), word) != set.end();
}

// One verb on one resource (perhaps of one name) of one group, or on one path.
struct Atom {
  std::string_view verb, group, resource, name, url;
  bool is_url = false, named = false;
};

bool resource_covers(const Words& held, std::string_view resource) {
  if (has(held, "*") || has(held, resource)) return true;
  auto slash = resource.find('/');
  if (slash == resource.npos) return false;
  auto subresource = resource.substr(slash);
  return std::any_of(held.begin(), held.end(), [&](std::string_view word) {
    return word.size() == subresource.size() + 1 && word[0] == '*' && word.substr(1) == subresource;
  });
}

bool url_covers(const Words& held, std::string_view url) {
  return std::any_of(held.begin(), held.end(), [&](std::string_view word) {
    if (word == url) return true;
    if (word.empty() || word.back() != '*') return false;
    return base::starts_with(url, word.substr(0, word.find_last_not_of('*') + 1));
  });
}

bool covers(const PolicyRule& rule, const Atom& atom) {
  if (!has(rule.verbs, "*") && !has(rule.verbs, atom.verb)) return false;
  if (atom.is_url) {
    return url_covers(rule.non_resource_urls, atom.url) && rule.resource_names.empty();
  }
  if (!has(rule.api_groups, "*") && !has(rule.api_groups, atom.group)) return false;
  if (!resource_covers(rule.resources, atom.resource)) return false;
  return rule.resource_names.empty() || (atom.named && has(rule.resource_names, atom.name));
}

PolicyRule rule_of(const Atom& atom) {
  PolicyRule rule;
  rule.verbs = {atom.verb};
  if (atom.is_url) {
    rule.non_resource_urls = {atom.url};
    return rule;
  }
  rule.api_groups = {atom.group};
  rule.resources = {atom.resource};
  if (atom.named) rule.resource_names = {atom.name};
  return rule;
}

// Calls `visit` for every atom of the rule until it returns false.
template <class Visit>
bool visit_atoms(const PolicyRule& rule, Visit visit) {
  for (auto group : rule.api_groups) {
    for (auto resource : rule.resources) {
      for (auto verb : rule.verbs) {
        if (rule.resource_names.empty() && !visit(Atom{verb, group, resource, {}, {}})) {
          return false;
        }
        for (auto name : rule.resource_names) {
          if (!visit(Atom{verb, group, resource, name, {}, false, true})) return false;
        }
      }
    }
  }
  for (auto url : rule.non_resource_urls) {
    for (auto verb : rule.verbs) {
      if (!visit(Atom{verb, {}, {}, {}, url, true})) return false;
    }
  }
  return true;
}

std::string list_text(const Words& words) {
  std::vector<std::string> quoted;
  for (auto word : words) quoted.push_back(base::quote(word));
  return base::concat("[", base::join(quoted, " "), "]");
}

std::string rule_text(const PolicyRule& rule) {
  std::vector<std::string> parts;
  auto add = [&](std::string_view label, const Words& words) {
    if (!words.empty()) parts.push_back(base::concat(label, ":", list_text(words)));
  };
  add("APIGroups", rule.api_groups);
  add("Resources", rule.resources);
  add("NonResourceURLs", rule.non_resource_urls);
  add("ResourceNames", rule.resource_names);
  add("Verbs", rule.verbs);
  return base::concat("{", base::join(parts, ", "), "}");
}

// The verbs on one resource become one rule again.
PolicyRules compact(PolicyRules rules) {
  PolicyRules result;
  for (auto& rule : rules) {
    auto same = std::find_if(result.begin(), result.end(), [&](const PolicyRule& other) {
      return rule.non_resource_urls.empty() && other.non_resource_urls.empty() &&
             rule.api_groups == other.api_groups && rule.resources == other.resources &&
             rule.resource_names == other.resource_names;
    });
    if (same == result.end()) {
      result.push_back(std::move(rule));
    } else {
      same->verbs.insert(same->verbs.end(), rule.verbs.begin(), rule.verbs.end());
    }
  }
  return result;
}

}  // namespace

PolicyRules missing_rules(const PolicyRules& held, const PolicyRules& wanted) {
  PolicyRules missing;
  std::size_t looked_at = 0;
  for (const auto& rule : wanted) {
    const bool complete = visit_atoms(rule, [&](const Atom& atom) {
      const bool covered = ++looked_at <= kEscalationAtomsMax &&
                           std::any_of(held.begin(), held.end(),
                                       [&](const PolicyRule& own) { return covers(own, atom); });
      if (!covered) missing.push_back(rule_of(atom));
      return looked_at <= kEscalationAtomsMax && missing.size() < kMissingRulesMax;
    });
    if (!complete) break;
  }
  return missing;
}

std::optional<std::string> escalation_detail(const User& user, const ResolvedRules& held,
                                             const PolicyRules& wanted) {
  auto missing = missing_rules(held.rules, wanted);
  if (missing.empty()) return std::nullopt;
  std::set<std::string> lines;
  for (const auto& rule : compact(std::move(missing))) lines.insert(rule_text(rule));
  Words groups(user.groups.begin(), user.groups.end());
  std::string text =
      base::concat("user ", base::quote(user.name), " (groups=", list_text(groups),
                   ") is attempting to grant RBAC permissions not currently held:\n",
                   base::join(std::vector<std::string>(lines.begin(), lines.end()), "\n"));
  if (!held.errors.empty()) {
    text += base::concat("; resolution errors: [", aggregate_text(held.errors), "]");
  }
  return text;
}

}  // namespace skiff::auth
