#include <skiff/api/selector.h>
#include <skiff/base/strings.h>

#include "api/json_scan.h"

#include <algorithm>
#include <optional>

namespace skiff::api {

using base::concat;
using codec::Json;

namespace {

// Cut at commas that no backslash escapes.
std::vector<std::string_view> split_terms(std::string_view text) {
  std::vector<std::string_view> terms;
  std::size_t start = 0;
  bool escaped = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (escaped) {
      escaped = false;
    } else if (text[i] == '\\') {
      escaped = true;
    } else if (text[i] == ',') {
      terms.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  if (!text.empty()) terms.push_back(text.substr(start));
  return terms;
}

base::Result<std::string> unescape(std::string_view text) {
  std::string value;
  bool escaped = false;
  for (char c : text) {
    const bool special = c == '\\' || c == ',' || c == '=';
    if (escaped) {
      if (!special)
        return base::invalid_argument(
            concat("invalid field selector: invalid escape sequence: \\", c));
      value += c;
      escaped = false;
    } else if (c == '\\') {
      escaped = true;
    } else if (special) {
      return base::invalid_argument(
          concat("invalid field selector: unescaped character in value: ", static_cast<int>(c)));
    } else {
      value += c;
    }
  }
  if (escaped) return base::invalid_argument("invalid field selector: invalid escape sequence: \\");
  return value;
}

struct SelectableFields {
  std::string_view group, resource;
  std::initializer_list<std::string_view> fields;
};

const SelectableFields kSelectable[] = {
    {"",
     "pods",
     {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
      "spec.hostNetwork", "status.phase", "status.podIP", "status.podIPs",
      "status.nominatedNodeName"}},
    {"",
     "events",
     {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
      "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
      "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"}},
    {"events.k8s.io",
     "events",
     {"regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid",
      "regarding.apiVersion", "regarding.resourceVersion", "regarding.fieldPath", "reason",
      "reportingController", "type"}},
    {"", "secrets", {"type"}},
    {"", "namespaces", {"status.phase"}},
    {"", "nodes", {"spec.unschedulable"}},
    {"apps", "replicasets", {"status.replicas"}},
    {"", "services", {"spec.clusterIP", "spec.type"}},
    {"certificates.k8s.io", "certificatesigningrequests", {"spec.signerName"}},
};

// What upstream's selectable fields say where the object says nothing.
std::string_view value_when_absent(std::string_view field) {
  if (field == "spec.hostNetwork" || field == "spec.unschedulable") return "false";
  if (field == "status.replicas") return "0";
  return {};
}

// Events have two shapes that share one store; each field is read under both names.
std::string_view other_name(std::string_view first_member) {
  if (first_member == "involvedObject") return "regarding";
  if (first_member == "regarding") return "involvedObject";
  if (first_member == "reportingController") return "reportingComponent";
  if (first_member == "reportingComponent") return "reportingController";
  return {};
}

// Looks a field up with `read`, which returns the text of a scalar at a path or nullopt.
template <class Read>
std::string field_value(std::string_view field, const Read& read) {
  if (field == "source") {
    if (auto component = read({"source", "component"}); component && !component->empty())
      return *component;
    if (auto component = read({"deprecatedSource", "component"}); component && !component->empty())
      return *component;
    return field_value("reportingComponent", read);
  }
  std::vector<std::string_view> path = base::split(field, '.');
  if (auto value = read(path)) return std::move(*value);
  if (auto other = other_name(path[0]); !other.empty()) {
    path[0] = other;
    if (auto value = read(path)) return std::move(*value);
  }
  return std::string(value_when_absent(field));
}

std::optional<std::string> scalar_text(const Json& value) {
  if (value.is_string()) return std::string(value.as_string());
  if (value.is_bool()) return value.as_bool() ? "true" : "false";
  if (value.is_number()) return codec::write_json(value);
  return std::nullopt;
}

std::optional<std::string> raw_text(std::string_view raw) {
  if (raw.front() == '"') return decode_json_string(raw);
  if (raw.front() == '{' || raw.front() == '[' || raw == "null") return std::nullopt;
  return std::string(raw);
}

bool terms_match(const std::vector<FieldSelector::Term>& terms, const auto& read) {
  return std::all_of(terms.begin(), terms.end(), [&](const FieldSelector::Term& term) {
    return (field_value(term.field, read) == term.value) != term.negated;
  });
}

}  // namespace

base::Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  FieldSelector selector;
  auto terms = split_terms(text);
  std::sort(terms.begin(), terms.end());
  for (std::string_view term : terms) {
    if (term.empty()) continue;
    std::size_t at = 0;
    while (at < term.size() && term[at] != '=' && term.substr(at, 2) != "!=") ++at;
    if (at == term.size())
      return base::invalid_argument(
          concat("invalid selector: '", text, "'; can't understand '", term, "'"));
    const bool negated = term[at] == '!';
    const std::size_t length = negated || term.substr(at, 2) == "==" ? 2 : 1;
    SKIFF_ASSIGN_OR_RETURN(auto value, unescape(term.substr(at + length)));
    selector.terms_.push_back({std::string(term.substr(0, at)), std::move(value), negated});
  }
  return selector;
}

bool FieldSelector::matches(const Json& object) const {
  return terms_match(terms_, [&](const std::vector<std::string_view>& path) {
    const Json* value = &object;
    for (auto member : path) value = &(*value)[member];
    return scalar_text(*value);
  });
}

bool FieldSelector::matches_text(std::string_view json) const {
  return terms_match(terms_,
                     [&](const std::vector<std::string_view>& path) -> std::optional<std::string> {
                       auto raw = scan_raw(json, path.data(), path.size());
                       if (!raw) return std::nullopt;
                       return raw_text(*raw);
                     });
}

bool is_selectable_field(std::string_view group, std::string_view resource,
                         std::string_view field) {
  if (field == "metadata.name" || field == "metadata.namespace") return true;
  for (const auto& row : kSelectable)
    if (row.group == group && row.resource == resource)
      return std::find(row.fields.begin(), row.fields.end(), field) != row.fields.end();
  return false;
}

}  // namespace skiff::api
