#include "app/bootstrap.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/pki/certificate.h>
#include <skiff/sys/files.h>

#include "app/addresses.h"
#include "app/credentials/authority_files.h"
#include "app/credentials/key_files.h"
#include "app/credentials/service_account_keys.h"
#include "app/limits.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace skiff::app {

namespace {

bool has_all(const std::vector<std::string>& have, const std::vector<std::string>& want) {
  return std::all_of(want.begin(), want.end(), [&](const std::string& name) {
    return std::find(have.begin(), have.end(), name) != have.end();
  });
}

// Why a certificate cannot be used as it is; empty when it can.
std::string why_renew(const pki::KeyAndCertificate& pair, const std::string& ca_pem,
                      const pki::Identity& wanted, base::WallTime now) {
  if (pair.key_pem.empty() || pair.certificate_pem.empty()) return "there is none";
  auto info = pki::inspect_certificate(pair.certificate_pem);
  auto matches = pki::certificate_matches_key(pair.certificate_pem, pair.key_pem);
  if (!info || !matches || !*matches) return "it is damaged";
  if (!has_all(info->identity.dns_names, wanted.dns_names) ||
      !has_all(info->identity.ip_addresses, wanted.ip_addresses))
    return "it lacks a name";
  if (info->not_before > now + kCertificateFutureMax) return "it begins in the future";
  auto life = info->not_after - info->not_before;
  if (now > info->not_before + life * 2 / 3) return "two thirds of its life are over";
  if (!pki::verify_certificate(pair.certificate_pem, ca_pem, std::max(now, info->not_before)))
    return "another authority signed it";
  return {};
}

base::Result<pki::KeyAndCertificate> ensure_certificate(const std::string& stem,
                                                        const pki::Authority& authority,
                                                        const pki::Identity& wanted, bool is_server,
                                                        base::WallTime now) {
  SKIFF_ASSIGN_OR_RETURN(pki::KeyAndCertificate pair, read_pair(stem));
  std::string why = why_renew(pair, authority.certificate_pem(), wanted, now);
  if (why.empty()) return pair;
  base::log_info("certificate made", {{"file", stem + ".crt"}, {"because", why}});
  pki::CertificateRequest request;
  request.identity = wanted;
  request.for_server = is_server;
  request.for_client = !is_server;
  request.now = now;
  request.life = kCertificateLife;
  SKIFF_ASSIGN_OR_RETURN(pair, authority.issue(request));
  SKIFF_RETURN_IF_ERROR(write_pair(stem, pair));
  return pair;
}

base::Result<std::string> ensure_key(const std::string& path) {
  SKIFF_ASSIGN_OR_RETURN(std::string key, read_or_empty(path));
  if (!key.empty()) return key;
  SKIFF_ASSIGN_OR_RETURN(key, pki::make_private_key());
  SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(path, key, kKeyMode));
  return key;
}

// The name of the host as a node name: lower case, what DNS does not allow becomes '-'.
base::Result<std::string> host_node_name() {
  char buffer[256] = {};
  if (gethostname(buffer, sizeof buffer - 1) != 0)
    return base::errno_status(errno, "read the host's name");
  std::string name = base::to_lower(buffer);
  for (char& c : name) {
    bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    if (!good) c = '-';
  }
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  if (name.empty() || name == "localhost")
    return base::invalid_argument(
        "the host has no name of its own; give the node one with --node-name");
  return name;
}

std::string first_service_address(const std::string& cidr) {
  auto network = parse_network(cidr);
  return network ? format_ipv4(network->address + 1) : std::string();
}

}  // namespace

base::Result<NodeIdentity> find_identity(const Config& config) {
  NodeIdentity identity{config.node_name, {}};
  if (identity.name.empty()) {
    SKIFF_ASSIGN_OR_RETURN(identity.name, host_node_name());
  }
  auto ip = find_node_ip(config.node_ip);
  if (!ip) return ip.status().with_context("node-ip");
  identity.ip = std::move(*ip);
  return identity;
}

pki::Identity server_identity(const Config& config, const NodeIdentity& identity) {
  pki::Identity wanted;
  wanted.subject.common_name = "kube-apiserver";
  wanted.dns_names = {"localhost",
                      "kubernetes",
                      "kubernetes.default",
                      "kubernetes.default.svc",
                      base::concat("kubernetes.default.svc.", config.cluster_domain),
                      identity.name};
  wanted.ip_addresses = {"127.0.0.1", first_service_address(config.service_cidr)};
  auto add = [&](const std::string& name) {
    auto& list = parse_ipv4(name) ? wanted.ip_addresses : wanted.dns_names;
    if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
  };
  add(identity.ip);
  if (!config.bind_address.empty() && config.bind_address != "0.0.0.0") add(config.bind_address);
  for (const auto& name : config.tls_san) add(name);
  return wanted;
}

base::Result<pki::KeyAndCertificate> ensure_cluster_authority(const Config& config,
                                                              base::WallTime now) {
  const std::string folder = config.data_dir + "/pki";
  SKIFF_RETURN_IF_ERROR(sys::make_folders(folder, kKeyFolderMode));
  SKIFF_ASSIGN_OR_RETURN(AuthorityFiles files, ensure_authority(folder, now));
  return files.pair;
}

base::Result<ClusterKeys> ensure_cluster_keys(const Config& config, const NodeIdentity& identity,
                                              base::WallTime now) {
  std::string folder = config.data_dir + "/pki";
  SKIFF_RETURN_IF_ERROR(sys::make_folders(folder, kKeyFolderMode));
  SKIFF_ASSIGN_OR_RETURN(AuthorityFiles files, ensure_authority(folder, now));
  SKIFF_ASSIGN_OR_RETURN(auto authority, open_authority(files));
  ClusterKeys keys;
  SKIFF_ASSIGN_OR_RETURN(keys.server,
                         ensure_certificate(folder + "/server", *authority,
                                            server_identity(config, identity), true, now));
  pki::Identity admin;
  admin.subject = {"system:admin", {"system:masters"}};
  SKIFF_ASSIGN_OR_RETURN(keys.admin,
                         ensure_certificate(folder + "/admin", *authority, admin, false, now));
  keys.trust = std::make_shared<pki::ClusterTrust>(std::move(authority), files.bundle_pem(),
                                                   files.retired_pem);
  SKIFF_ASSIGN_OR_RETURN(keys.service_account_key_pem, ensure_key(folder + "/service-account.key"));
  SKIFF_ASSIGN_OR_RETURN(keys.service_account_older_keys_pem,
                         read_older_service_account_keys(folder));
  return keys;
}

std::string admin_kubeconfig(const ClusterKeys& keys, const std::string& server_url) {
  return base::concat(
      "apiVersion: v1\nkind: Config\ncurrent-context: skiff\nclusters:\n- name: skiff\n"
      "  cluster:\n    server: ",
      server_url,
      "\n    certificate-authority-data: ", codec::base64_encode(keys.trust->bundle_pem()),
      "\ncontexts:\n- name: skiff\n  context:\n    cluster: skiff\n    user: admin\nusers:\n"
      "- name: admin\n  user:\n    client-certificate-data: ",
      codec::base64_encode(keys.admin.certificate_pem),
      "\n    client-key-data: ", codec::base64_encode(keys.admin.key_pem), "\n");
}

base::Status write_kubeconfig(const Config& config, const ClusterKeys& keys) {
  bool everywhere = config.bind_address.empty() || config.bind_address == "0.0.0.0";
  std::string url = base::concat("https://", everywhere ? "127.0.0.1" : config.bind_address, ":",
                                 config.https_port);
  std::string text = admin_kubeconfig(keys, url);
  std::vector<std::string> files{config.data_dir + "/admin.kubeconfig"};
  if (!config.write_kubeconfig.empty()) files.push_back(config.write_kubeconfig);
  for (const auto& file : files) {
    auto present = sys::read_file(file, kKeyFileBytesMax);
    if (present && *present == text) continue;
    SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(file, text, kKeyMode));
  }
  return base::Status::ok();
}

}  // namespace skiff::app
