#include "auth/rbac/compiled_role.h"

#include <algorithm>
#include <map>

namespace skiff::auth {

namespace {

// Bit 0 is every verb.
constexpr std::string_view kVerbs[] = {"*",     "get",      "list",
                                       "watch", "create",   "update",
                                       "patch", "delete",   "deletecollection",
                                       "bind",  "escalate", "impersonate",
                                       "use",   "approve",  "sign",
                                       "proxy", "head",     "post",
                                       "put",   "options"};
constexpr std::uint32_t kEveryVerb = 1;
static_assert(std::size(kVerbs) <= 32);

std::uint32_t bit_of(std::string_view verb) {
  for (std::size_t i = 0; i < std::size(kVerbs); ++i) {
    if (kVerbs[i] == verb) return std::uint32_t{1} << i;
  }
  return 0;
}

// "/healthz/*" covers all that begins with "/healthz/".
bool url_matches(std::string_view pattern, std::string_view path) {
  if (pattern == path) return true;
  if (pattern.empty() || pattern.back() != '*') return false;
  pattern = pattern.substr(0, pattern.find_last_not_of('*') + 1);
  return path.substr(0, pattern.size()) == pattern;
}

PolicyRule::Words words_of(const codec::Json& list) {
  PolicyRule::Words words;
  for (const auto& item : list.items()) words.push_back(item.as_string());
  return words;
}

}  // namespace

RuleQuestion::RuleQuestion(const Attributes& asked)
    : attributes(asked), verb_bit(bit_of(asked.verb)) {}

PolicyRules policy_rules(const codec::Json& role) {
  PolicyRules rules;
  for (const auto& rule : role["rules"].items()) {
    rules.push_back({words_of(rule["verbs"]), words_of(rule["apiGroups"]),
                     words_of(rule["resources"]), words_of(rule["resourceNames"]),
                     words_of(rule["nonResourceURLs"])});
  }
  return rules;
}

std::shared_ptr<const CompiledRole> CompiledRole::make(std::string_view key, std::uint64_t revision,
                                                       const codec::Json& role) {
  std::shared_ptr<CompiledRole> compiled(new CompiledRole(key, revision));
  compiled->compile(policy_rules(role));
  return compiled;
}

void CompiledRole::compile(const PolicyRules& rules) {
  std::map<std::string_view, std::uint32_t> numbers;
  std::size_t bytes = 0;
  rules_.reserve(rules.size());
  for (const auto& from : rules) {
    Rule rule;
    rule.begin = static_cast<std::uint32_t>(references_.size());
    const std::array<const PolicyRule::Words*, kParts> parts = {
        &from.verbs, &from.api_groups, &from.resources, &from.resource_names,
        &from.non_resource_urls};
    for (std::size_t part = 0; part < kParts; ++part) {
      for (auto word : *parts[part]) {
        auto [at, fresh] = numbers.emplace(word, static_cast<std::uint32_t>(words_.size()));
        if (fresh) {
          words_.push_back(word);
          bytes += word.size();
        }
        references_.push_back(at->second);
      }
      rule.end[part] = static_cast<std::uint32_t>(references_.size());
    }
    for (auto verb : from.verbs) rule.verb_bits |= bit_of(verb);
    rules_.push_back(rule);
  }
  text_.reserve(bytes);  // so that it never moves
  for (auto& word : words_) {
    const std::size_t at = text_.size();
    text_ += word;
    word = std::string_view(text_).substr(at);
  }
  words_.shrink_to_fit();
  references_.shrink_to_fit();
}

template <class Matches>
bool CompiledRole::any(const Rule& rule, Part part, Matches matches) const {
  for (auto i = begin_of(rule, part); i < rule.end[part]; ++i) {
    if (matches(words_[references_[i]])) return true;
  }
  return false;
}

bool CompiledRole::verb_matches(const Rule& rule, const RuleQuestion& question) const {
  if ((rule.verb_bits & (kEveryVerb | question.verb_bit)) != 0) return true;
  if (question.verb_bit != 0) return false;
  return any(rule, verbs, [&](std::string_view verb) { return verb == question.attributes.verb; });
}

bool CompiledRole::resource_matches(const Rule& rule, const Attributes& a) const {
  return any(rule, resources, [&](std::string_view wanted) {
    if (wanted == "*") return true;
    if (a.subresource.empty()) return wanted == a.resource;
    const std::size_t tail = a.subresource.size() + 1;
    if (wanted.size() <= tail || wanted[wanted.size() - tail] != '/') return false;
    if (wanted.substr(wanted.size() - a.subresource.size()) != a.subresource) return false;
    auto parent = wanted.substr(0, wanted.size() - tail);
    return parent == a.resource || parent == "*";
  });
}

bool CompiledRole::allows(const RuleQuestion& question) const {
  const Attributes& a = question.attributes;
  for (const auto& rule : rules_) {
    if (!verb_matches(rule, question)) continue;
    if (!a.is_resource) {
      if (any(rule, urls, [&](std::string_view url) { return url_matches(url, a.path); })) {
        return true;
      }
      continue;
    }
    auto group_matches = [&](std::string_view group) { return group == "*" || group == a.group; };
    if (!any(rule, groups, group_matches) || !resource_matches(rule, a)) continue;
    const bool any_name = begin_of(rule, names) == rule.end[names];
    if (any_name || any(rule, names, [&](std::string_view name) { return name == a.name; })) {
      return true;
    }
  }
  return false;
}

void CompiledRole::append_rules(PolicyRules& out) const {
  for (const auto& rule : rules_) {
    auto words = [&](Part part) {
      PolicyRule::Words list;
      for (auto i = begin_of(rule, part); i < rule.end[part]; ++i) {
        list.push_back(words_[references_[i]]);
      }
      return list;
    };
    out.push_back({words(verbs), words(groups), words(resources), words(names), words(urls)});
  }
}

}  // namespace skiff::auth
