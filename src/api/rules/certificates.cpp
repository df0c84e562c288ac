// Signing requests.
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/pki/certificate.h>

#include "api/rules/kind_rules.h"

#include <algorithm>
#include <set>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

constexpr std::string_view kLegacySigner = "kubernetes.io/legacy-unknown";
constexpr std::int64_t kExpirationSecondsMin = 600;
constexpr std::size_t kSubdomainBytesMax = 253, kLabelBytesMax = 63;
constexpr std::size_t kSignerBytesMax =
    kSubdomainBytesMax + 1 + kSubdomainBytesMax + 1 + kLabelBytesMax;

constexpr std::string_view kUsages[] = {"any",
                                        "cert sign",
                                        "client auth",
                                        "code signing",
                                        "content commitment",
                                        "crl sign",
                                        "data encipherment",
                                        "decipher only",
                                        "digital signature",
                                        "email protection",
                                        "encipher only",
                                        "ipsec end system",
                                        "ipsec tunnel",
                                        "ipsec user",
                                        "key agreement",
                                        "key encipherment",
                                        "microsoft sgc",
                                        "netscape sgc",
                                        "ocsp signing",
                                        "s/mime",
                                        "server auth",
                                        "signing",
                                        "timestamping"};

// What an update may do, and what is let pass because it is there already.
struct Allowed {
  bool setting_approval = false, setting_certificate = false;
  bool approved_and_denied = false, legacy_signer = false, duplicate_conditions = false;
  bool empty_condition = false, any_certificate = false, unknown_usages = false,
       duplicate_usages = false;
};

const Json& conditions_of(const Json& csr) { return csr["status"]["conditions"]; }

// PEM text of a field of bytes.
std::string pem_of(const Json& field) {
  auto bytes = codec::base64_decode(field.as_string());
  return bytes ? std::move(*bytes) : std::string();
}

std::string why_bad_certificate(const Json& csr) {
  const Json& certificate = csr["status"]["certificate"];
  return certificate.empty() ? "" : pki::why_no_certificates(pem_of(certificate));
}

bool has_duplicates(const Json& list, std::string_view member) {
  std::set<std::string_view> seen;
  return std::any_of(list.items().begin(), list.items().end(), [&](const Json& item) {
    const Json& value = member.empty() ? item : item[member];
    return !seen.insert(value.as_string()).second;
  });
}

std::vector<const Json*> conditions_of_type(const Json& csr, std::string_view type) {
  std::vector<const Json*> found;
  for (const Json& condition : conditions_of(csr).items())
    if (condition["type"].as_string() == type) found.push_back(&condition);
  return found;
}

void validate_signer_name(std::string_view name, ErrorList& errors) {
  const std::string path = "spec.signerName";
  if (name.empty()) return errors.required(path);
  auto segments = base::split(name, '/');
  if (segments.size() != 2)
    return errors.invalid(
        path, name,
        "must be a fully qualified domain and path of the form 'example.com/signer-name'");
  if (segments[0].size() > kSubdomainBytesMax) errors.too_long(path, kSubdomainBytesMax);
  auto labels = base::split(segments[0], '.');
  auto check_labels = [&](std::string_view segment, auto check) {
    for (std::string_view label : base::split(segment, '.')) {
      auto problems = check(label);
      for (const auto& problem : problems)
        errors.invalid(path, segment,
                       concat("validating label ", base::quote(label), ": ", problem));
      if (!problems.empty()) break;
    }
  };
  check_labels(segments[0], check_dns1123_label);
  if (labels.size() < 2)
    errors.invalid(path, segments[0],
                   "should be a domain with at least two segments separated by dots");
  check_labels(segments[1], check_dns1123_subdomain);
  if (name.size() > kSignerBytesMax) errors.too_long(path, kSignerBytesMax);
}

void validate_usages(const Json& usages, const Allowed& allowed, ErrorList& errors) {
  const std::string path = "spec.usages";
  if (usages.empty()) errors.required(path);
  const auto& items = usages.items();
  for (std::size_t i = 0; !allowed.unknown_usages && i < items.size(); ++i)
    if (!contains(kUsages, items[i].as_string()))
      errors.not_supported(index(path, i), items[i].as_string(), kUsages);
  std::set<std::string_view> seen;
  for (std::size_t i = 0; !allowed.duplicate_usages && i < items.size(); ++i)
    if (!seen.insert(items[i].as_string()).second) errors.duplicate(index(path, i), items[i]);
}

bool is_final(std::string_view type) {
  return type == "Approved" || type == "Denied" || type == "Failed";
}

void validate_condition_status(const Json& condition, const std::string& path, ErrorList& errors) {
  auto status = condition["status"].as_string();
  if (status.empty()) return errors.required(path);
  if (is_final(condition["type"].as_string())) {
    if (status != "True") errors.not_supported(path, status, {"True"});
  } else if (!contains({"False", "True", "Unknown"}, status)) {
    errors.not_supported(path, status, {"False", "True", "Unknown"});
  }
}

void validate_conditions(const Json& csr, const Allowed& allowed, ErrorList& errors) {
  std::set<std::string_view> seen;
  const auto& conditions = conditions_of(csr).items();
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const std::string path = index("status.conditions", i);
    auto type = conditions[i]["type"].as_string();
    if (type.empty() && !allowed.empty_condition) errors.required(child(path, "type"));
    validate_condition_status(conditions[i], child(path, "status"), errors);
    const bool contradicts = (type == "Approved" && seen.contains("Denied")) ||
                             (type == "Denied" && seen.contains("Approved"));
    if (contradicts && !allowed.approved_and_denied)
      errors.invalid(child(path, "type"), type,
                     "Approved and Denied conditions are mutually exclusive");
    const bool is_new = seen.insert(type).second;
    if (!is_new && !allowed.duplicate_conditions) errors.duplicate(child(path, "type"), type);
  }
}

void validate_request(const Json& csr, const Allowed& allowed, ErrorList& errors) {
  const Json& spec = csr["spec"];
  auto request = pki::read_signing_request(pem_of(spec["request"]));
  if (!request) errors.invalid("spec.request", spec["request"], request.status().message());
  validate_usages(spec["usages"], allowed, errors);
  auto signer = spec["signerName"].as_string();
  if (signer == kLegacySigner && !allowed.legacy_signer)
    errors.invalid("spec.signerName", signer,
                   "the legacy signerName is not allowed via this API version");
  else
    validate_signer_name(signer, errors);
  const Json& seconds = spec["expirationSeconds"];
  if (seconds.is_int() && seconds.as_int() < kExpirationSecondsMin)
    errors.invalid("spec.expirationSeconds", seconds,
                   "may not specify a duration less than 600 seconds (10 minutes)");
  validate_conditions(csr, allowed, errors);
  if (allowed.any_certificate) return;
  if (auto why = why_bad_certificate(csr); !why.empty())
    errors.invalid("status.certificate", "<certificate data>", why);
}

// Defects that the old object has already.
Allowed allowed_by(const Json& csr, const Json& old_csr) {
  Allowed allowed;
  const Json& usages = old_csr["spec"]["usages"];
  const Json& conditions = conditions_of(old_csr);
  allowed.approved_and_denied = !conditions_of_type(old_csr, "Approved").empty() &&
                                !conditions_of_type(old_csr, "Denied").empty();
  allowed.legacy_signer = old_csr["spec"]["signerName"].as_string() == kLegacySigner;
  allowed.duplicate_conditions = has_duplicates(conditions, "type");
  allowed.empty_condition = !conditions_of_type(old_csr, "").empty();
  allowed.any_certificate = csr["status"]["certificate"] == old_csr["status"]["certificate"] ||
                            !why_bad_certificate(old_csr).empty();
  allowed.unknown_usages =
      std::any_of(usages.items().begin(), usages.items().end(),
                  [](const Json& usage) { return !contains(kUsages, usage.as_string()); });
  allowed.duplicate_usages = has_duplicates(usages, "");
  return allowed;
}

void validate_same_conditions(const Json& csr, const Json& old_csr, const Allowed& allowed,
                              ErrorList& errors) {
  const std::string path = "status.conditions";
  for (std::string_view type : {"Approved", "Denied", "Failed"}) {
    if (conditions_of_type(csr, type).size() < conditions_of_type(old_csr, type).size())
      errors.forbidden(path,
                       concat("updates may not remove a condition of type ", base::quote(type)));
  }
  if (allowed.setting_approval) return;
  for (std::string_view type : {"Approved", "Denied"}) {
    auto now = conditions_of_type(csr, type), before = conditions_of_type(old_csr, type);
    if (now.size() > before.size())
      errors.forbidden(path, concat("updates may not add a condition of type ", base::quote(type)));
    const bool same = now.size() != before.size() ||
                      std::equal(now.begin(), now.end(), before.begin(),
                                 [](const Json* a, const Json* b) { return *a == *b; });
    if (!same)
      errors.forbidden(path,
                       concat("updates may not modify a condition of type ", base::quote(type)));
  }
}

void validate_same_certificate(const Json& csr, const Json& old_csr, const Allowed& allowed,
                               ErrorList& errors) {
  const Json& now = csr["status"]["certificate"];
  const Json& before = old_csr["status"]["certificate"];
  if (now.as_string() == before.as_string()) return;
  if (!allowed.setting_certificate)
    errors.forbidden("status.certificate", "updates may not set certificate content");
  else if (!before.as_string().empty())
    errors.forbidden("status.certificate", "updates may not modify existing certificate content");
}

}  // namespace

void validate_signing_request(const Json& csr, ErrorList& errors) {
  validate_request(csr, {}, errors);
}

void validate_signing_request_update(const Json& csr, const Json& old_csr,
                                     std::string_view subresource, ErrorList& errors) {
  Allowed allowed = allowed_by(csr, old_csr);
  allowed.setting_certificate = subresource == "status";
  allowed.setting_approval = subresource == "approval";
  validate_request(csr, allowed, errors);
  validate_same_conditions(csr, old_csr, allowed, errors);
  validate_same_certificate(csr, old_csr, allowed, errors);
}

}  // namespace skiff::api::rules
