#include "api/rules/pod_spec.h"

#include <skiff/base/strings.h>

#include <set>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

bool is_huge_pages(std::string_view name) { return base::starts_with(name, "hugepages-"); }
// Without a domain, or in kubernetes.io.
bool is_native(std::string_view name) {
  return name.find('/') == std::string_view::npos ||
         name.find("kubernetes.io/") != std::string_view::npos;
}
bool allows_overcommit(std::string_view name) { return is_native(name) && !is_huge_pages(name); }
// Whole numbers only: extended resources and counts.
bool is_integer_resource(std::string_view name) { return !is_native(name); }

void validate_name(std::string_view name, const std::string& path, ErrorList& errors) {
  const std::size_t before = errors.size();
  validate_label_name(name, path, errors);
  if (errors.size() != before || name.find('/') != std::string_view::npos) return;
  if (!contains({"cpu", "memory", "ephemeral-storage"}, name) && !is_huge_pages(name))
    errors.invalid(path, name, "must be a standard resource for containers");
}

void validate_quantity(std::string_view name, const Json& value, const Quantity& quantity,
                       const std::string& path, ErrorList& errors) {
  if (quantity < Quantity()) errors.invalid(path, quantity.to_string(), kNotNegative);
  if (is_integer_resource(name) && quantity.milli_value() % 1000 != 0)
    errors.invalid(path, value, "must be an integer");
}

}  // namespace

void validate_resources(const Json& resources, const Json& pod_claims, const std::string& path,
                        ErrorList& errors) {
  const std::string limits_path = child(path, "limits"), requests_path = child(path, "requests");
  bool has_compute = false, has_huge_pages = false;
  for (std::string_view list : {"limits", "requests"}) {
    const std::string& list_path = list == "limits" ? limits_path : requests_path;
    for (const auto& [name, value] : resources[list].members()) {
      const std::string item_path = key(list_path, name);
      validate_name(name, item_path, errors);
      auto quantity = quantity_of(value);
      if (!quantity) continue;
      validate_quantity(name, value, *quantity, item_path, errors);
      has_compute = has_compute || name == "cpu" || name == "memory";
      has_huge_pages = has_huge_pages || is_huge_pages(name);
      if (list == "limits") continue;
      auto limit = quantity_of(resources["limits"][name]);
      const bool has_limit = limit && resources["limits"].contains(name);
      if (!has_limit) {
        if (!allows_overcommit(name))
          errors.required(limits_path, "Limit must be set for non overcommitable resources");
      } else if (*quantity != *limit && !allows_overcommit(name)) {
        errors.invalid(requests_path, quantity->to_string(),
                       concat("must be equal to ", name, " limit of ", limit->to_string()));
      } else if (*quantity > *limit) {
        errors.invalid(
            requests_path, quantity->to_string(),
            concat("must be less than or equal to ", name, " limit of ", limit->to_string()));
      }
    }
  }
  if (has_huge_pages && !has_compute) errors.forbidden(path, "HugePages require cpu or memory");
  const auto& claims = resources["claims"].items();
  for (std::size_t i = 0; i < claims.size(); ++i) {
    std::string_view name = claims[i]["name"].as_string();
    bool known = false;
    for (const auto& claim : pod_claims.items()) known = known || claim["name"].as_string() == name;
    const std::string claim_path = index(child(path, "claims"), i);
    if (name.empty())
      errors.required(child(claim_path, "name"));
    else if (!known)
      errors.not_found(claim_path, name);
  }
}

}  // namespace skiff::api::rules
