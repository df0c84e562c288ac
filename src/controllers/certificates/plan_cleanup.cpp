#include "controllers/certificates/plan_cleanup.h"

#include <skiff/codec/base64.h>
#include <skiff/pki/certificate.h>

#include <algorithm>

#include "controllers/certificates/signing_requests.h"
#include "controllers/limits.h"

namespace skiff::controllers {

namespace {

std::optional<base::WallTime> time_of(const Json& text) {
  auto time = base::parse_rfc3339(text.as_string());
  return time ? std::optional(*time) : std::nullopt;
}

std::optional<base::WallTime> end_of_certificate(const Json& csr) {
  auto pem = codec::base64_decode(csr.at({"status", "certificate"}).as_string());
  if (!pem) return std::nullopt;
  auto info = pki::inspect_certificate(*pem);
  return info ? std::optional(info->not_after) : std::nullopt;
}

}  // namespace

std::optional<base::Duration> rest_of_life(const Json& csr, base::WallTime now,
                                           const base::AgeOf& age_of) {
  std::optional<base::Duration> rest;
  auto ends_in = [&](base::Duration left) { rest = rest ? std::min(*rest, left) : left; };
  auto ends = [&](std::optional<base::WallTime> from, base::Duration life) {
    if (from) ends_in(life - age_of(*from));
  };
  const auto& conditions = csr.at({"status", "conditions"}).items();
  if (conditions.empty()) ends(time_of(csr.at({"metadata", "creationTimestamp"})), kPendingLife);
  for (const Json& condition : conditions) {
    auto type = condition["type"].as_string();
    const bool issued = type == "Approved" && is_issued(csr);
    if (issued || type == "Denied" || type == "Failed")
      ends(time_of(condition["lastUpdateTime"]), kDecidedLife);
    if (auto end = issued ? end_of_certificate(csr) : std::nullopt) ends_in(*end - now);
  }
  return rest;
}

}  // namespace skiff::controllers
