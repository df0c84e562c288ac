// A role in the form in which decisions read it.
#pragma once

#include <skiff/auth/rbac.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::auth {

// What a decision asks every rule, with the verb looked up once.
struct RuleQuestion {
  explicit RuleQuestion(const Attributes& attributes);
  const Attributes& attributes;
  std::uint32_t verb_bit;  // 0 for verbs that have none
};

// Immutable. Every word is kept once.
class CompiledRole {
 public:
  // `key` is "namespace/name" or "name".
  static std::shared_ptr<const CompiledRole> make(std::string_view key, std::uint64_t revision,
                                                  const codec::Json& role);
  const std::string key;
  const std::uint64_t revision;

  bool allows(const RuleQuestion& question) const;
  void append_rules(PolicyRules& out) const;

 private:
  enum Part : std::uint8_t { verbs, groups, resources, names, urls, kParts };
  struct Rule {
    std::uint32_t verb_bits = 0;
    // Where the references of each part end; they begin where those of the part before end.
    std::uint32_t begin = 0;
    std::array<std::uint32_t, kParts> end{};
  };
  CompiledRole(std::string_view k, std::uint64_t r) : key(k), revision(r) {}
  template <class Matches>
  bool any(const Rule& rule, Part part, Matches matches) const;
  std::uint32_t begin_of(const Rule& rule, Part part) const {
    return part == verbs ? rule.begin : rule.end[part - 1];
  }
  bool verb_matches(const Rule& rule, const RuleQuestion& question) const;
  bool resource_matches(const Rule& rule, const Attributes& attributes) const;
  void compile(const PolicyRules& rules);

  std::string text_;                     // all words
  std::vector<std::string_view> words_;  // into text_
  std::vector<std::uint32_t> references_;
  std::vector<Rule> rules_;
};

}  // namespace skiff::auth
