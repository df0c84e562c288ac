// registries.yaml: where images come from, as k3s has it. Pure but for load_registries.
#pragma once

#include <skiff/base/result.h>
#include <skiff/runtime/image.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::runtime {

struct RegistryHost {
  RegistryAuth auth;
  std::string ca_pem, certificate_pem, key_pem;
  bool insecure = false;
};

// One place to ask: "https://mirror:5000/v2".
struct RegistryEndpoint {
  std::string url;
  std::string host;        // "mirror:5000"
  bool is_mirror = false;  // of another registry: it is told which one
};

struct Registries {
  std::map<std::string, std::vector<std::string>> mirrors;  // registry or "*" to URLs
  std::map<std::string, RegistryHost> hosts;

  // In the order to try; the registry itself is the last.
  std::vector<RegistryEndpoint> endpoints(const std::string& registry) const;
  // Of a host; empty where nothing is configured.
  const RegistryHost& host(const std::string& name) const;
};

// Reads the files that it names. Errors: invalid_argument with the key that is wrong.
base::Result<Registries> parse_registries(std::string_view text);
// An absent file, or an empty name, is an empty configuration.
base::Result<Registries> load_registries(const std::string& path);

bool is_loopback_host(std::string_view host_and_port);

}  // namespace skiff::runtime
