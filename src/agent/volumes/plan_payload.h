// The files that configMap, secret, downwardAPI and projected volumes consist of. Pure.
#pragma once

#include <skiff/base/result.h>
#include <skiff/codec/json.h>

#include "agent/container/plan_env.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skiff::agent {

struct PayloadFile {
  std::string bytes;
  unsigned mode = 0644;
  std::optional<std::int64_t> user;  // who owns it, in place of root
};
using Payload = std::map<std::string, PayloadFile>;  // by relative path

// One serviceAccountToken source of a pod.
struct TokenKey {
  std::string service_account, audience;
  std::int64_t seconds = 3600;
  bool operator<(const TokenKey& other) const {
    return std::tie(service_account, audience, seconds) <
           std::tie(other.service_account, other.audience, other.seconds);
  }
};
// Every token that the pod's volumes need, each once.
std::vector<TokenKey> plan_token_keys(const codec::Json& pod);

// The runAsUser that all containers of the pod have; nothing when one has none, or another.
std::optional<std::int64_t> plan_pod_user(const codec::Json& pod);

struct PayloadInput {
  const codec::Json& pod;
  std::string pod_ip;
  NodeFacts node;
  const ConfigSources& sources;
  const std::map<TokenKey, std::string>& tokens;
};
bool is_payload_volume(const codec::Json& volume);
// Errors in the kubelet's words: not_found (`configmap "x" not found`), invalid_argument
// ("configmap references non-existent config key: k"), too_large.
base::Result<Payload> plan_payload(const codec::Json& volume, const PayloadInput& input);

// "" for the kinds of volume that this node has; else the kind's name ("nfs").
std::string unsupported_volume_kind(const codec::Json& volume);

}  // namespace skiff::agent
