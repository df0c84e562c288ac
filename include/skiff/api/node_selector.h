// Node selectors and taints, as scheduler and kubelet compare them: parsed once, matched often.
// Immutable.
#pragma once

#include <skiff/codec/json.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skiff::api {

// Sorted by key.
class LabelSet {
 public:
  LabelSet() = default;
  explicit LabelSet(const codec::Json& labels);
  // Null when absent.
  const std::string* find(std::string_view key) const;

 private:
  std::vector<std::pair<std::string, std::string>> labels_;
};

struct NodeRequirement {
  enum class Operator : unsigned char { in, not_in, exists, does_not_exist, greater, less, never };
  std::string key;
  Operator op = Operator::exists;
  std::vector<std::string> values;
  bool matches(const std::string* value) const;
};

// One nodeSelectorTerm: all requirements hold. An empty one matches nothing.
struct NodeTerm {
  std::vector<NodeRequirement> labels;
  std::vector<NodeRequirement> fields;  // metadata.name only
  std::int32_t weight = 0;              // of preferred terms
  explicit NodeTerm(const codec::Json& term);
  bool matches(const LabelSet& node_labels, const std::string& node_name) const;
};

enum class TaintEffect : unsigned char { no_schedule, prefer_no_schedule, no_execute };

struct Taint {
  std::string key, value;
  TaintEffect effect = TaintEffect::no_schedule;
};
// Taints of unknown effect are left out.
std::vector<Taint> parse_taints(const codec::Json& taints);

struct Toleration {
  std::string key, value;
  bool exists = false;  // operator Exists
  bool any_effect = false;
  TaintEffect effect = TaintEffect::no_schedule;
  explicit Toleration(const codec::Json& toleration);
  bool tolerates(const Taint& taint) const;
};

}  // namespace skiff::api
