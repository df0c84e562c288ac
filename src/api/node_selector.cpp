#include <skiff/api/node_selector.h>

#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::api {

using codec::Json;

LabelSet::LabelSet(const Json& labels) {
  for (const auto& member : labels.members())
    labels_.emplace_back(member.key, std::string(member.value.as_string()));
  std::sort(labels_.begin(), labels_.end());
}

const std::string* LabelSet::find(std::string_view key) const {
  auto found =
      std::lower_bound(labels_.begin(), labels_.end(), key,
                       [](const auto& label, auto wanted) { return label.first < wanted; });
  return found != labels_.end() && found->first == key ? &found->second : nullptr;
}

bool NodeRequirement::matches(const std::string* value) const {
  auto listed = [&] { return std::find(values.begin(), values.end(), *value) != values.end(); };
  switch (op) {
    case Operator::in: return value != nullptr && listed();
    case Operator::not_in: return value == nullptr || !listed();
    case Operator::exists: return value != nullptr;
    case Operator::does_not_exist: return value == nullptr;
    case Operator::greater:
    case Operator::less: {
      if (value == nullptr || values.size() != 1) return false;
      auto have = base::parse_int(*value), bound = base::parse_int(values[0]);
      if (!have || !bound) return false;
      return op == Operator::greater ? *have > *bound : *have < *bound;
    }
    case Operator::never: return false;
  }
  SKIFF_UNREACHABLE();
}

namespace {

NodeRequirement parse_requirement(const Json& expression) {
  using Operator = NodeRequirement::Operator;
  NodeRequirement requirement;
  requirement.key = expression["key"].as_string();
  for (const Json& value : expression["values"].items())
    requirement.values.emplace_back(value.as_string());
  std::string_view op = expression["operator"].as_string();
  requirement.op = op == "In"             ? Operator::in
                   : op == "NotIn"        ? Operator::not_in
                   : op == "Exists"       ? Operator::exists
                   : op == "DoesNotExist" ? Operator::does_not_exist
                   : op == "Gt"           ? Operator::greater
                   : op == "Lt"           ? Operator::less
                                          : Operator::never;
  return requirement;
}

bool parse_effect(std::string_view text, TaintEffect& effect) {
  if (text == "NoSchedule")
    effect = TaintEffect::no_schedule;
  else if (text == "PreferNoSchedule")
    effect = TaintEffect::prefer_no_schedule;
  else if (text == "NoExecute")
    effect = TaintEffect::no_execute;
  else
    return false;
  return true;
}

}  // namespace

NodeTerm::NodeTerm(const Json& term) {
  for (const Json& expression : term["matchExpressions"].items())
    labels.push_back(parse_requirement(expression));
  for (const Json& expression : term["matchFields"].items())
    fields.push_back(parse_requirement(expression));
}

bool NodeTerm::matches(const LabelSet& node_labels, const std::string& node_name) const {
  if (labels.empty() && fields.empty()) return false;
  for (const auto& requirement : labels)
    if (!requirement.matches(node_labels.find(requirement.key))) return false;
  for (const auto& requirement : fields)
    if (!requirement.matches(requirement.key == "metadata.name" ? &node_name : nullptr))
      return false;
  return true;
}

std::vector<Taint> parse_taints(const Json& taints) {
  std::vector<Taint> parsed;
  for (const Json& item : taints.items()) {
    Taint taint;
    taint.key = item["key"].as_string();
    taint.value = item["value"].as_string();
    if (parse_effect(item["effect"].as_string(), taint.effect)) parsed.push_back(std::move(taint));
  }
  return parsed;
}

Toleration::Toleration(const Json& toleration)
    : key(toleration["key"].as_string()),
      value(toleration["value"].as_string()),
      exists(toleration["operator"].as_string() == "Exists") {
  any_effect = !parse_effect(toleration["effect"].as_string(), effect);
}

bool Toleration::tolerates(const Taint& taint) const {
  if (!any_effect && effect != taint.effect) return false;
  if (key.empty()) return exists;
  return key == taint.key && (exists || value == taint.value);
}

}  // namespace skiff::api
