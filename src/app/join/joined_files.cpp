#include "app/join/joined_files.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/codec/json.h>
#include <skiff/pki/certificate.h>
#include <skiff/sys/files.h>

#include "app/credentials/key_files.h"
#include "app/join/join_answer.h"

namespace skiff::app {

using codec::Json;

namespace {

struct Paths {
  explicit Paths(const std::string& data_dir) : keys(data_dir + "/pki"), node(data_dir + "/node") {}
  std::string keys, node;
  std::string key() const { return keys + "/node.key"; }
  std::string certificate() const { return keys + "/node.crt"; }
  std::string serving() const { return keys + "/node-serving.crt"; }
  std::string authorities() const { return keys + "/node-ca.crt"; }
  std::string cluster() const { return node + "/cluster.json"; }
};

// A text that is no settings leaves the name empty.
void read_cluster(std::string_view text, JoinedFiles& files, JoinedNode& joined) {
  const auto tree = codec::parse_json(text);
  if (!tree) return;
  joined.name = (*tree)["nodeName"].as_string();
  joined.cluster = read_cluster_settings(*tree);
  files.board_fingerprint = (*tree)["board"].as_string();
}

// Certificates and key belong together and can be read.
bool is_whole(const JoinedNode& joined) {
  if (joined.name.empty() || joined.key_pem.empty()) return false;
  for (const auto* pem : {&joined.certificate_pem, &joined.serving_certificate_pem}) {
    auto matches = pki::certificate_matches_key(*pem, joined.key_pem);
    if (!matches || !*matches) return false;
  }
  return pki::split_certificates(joined.ca_pem).is_ok();
}

}  // namespace

base::Result<JoinedFiles> read_joined_files(const std::string& data_dir) {
  const Paths paths(data_dir);
  JoinedFiles files;
  JoinedNode joined;
  SKIFF_ASSIGN_OR_RETURN(files.key_pem, read_or_empty(paths.key()));
  if (!files.key_pem.empty() && !pki::public_key_of(files.key_pem)) {
    base::log_warning("the node's key is damaged and made anew", {{"file", paths.key()}});
    files.key_pem.clear();
  }
  joined.key_pem = files.key_pem;
  SKIFF_ASSIGN_OR_RETURN(joined.certificate_pem, read_or_empty(paths.certificate()));
  SKIFF_ASSIGN_OR_RETURN(joined.serving_certificate_pem, read_or_empty(paths.serving()));
  SKIFF_ASSIGN_OR_RETURN(joined.ca_pem, read_or_empty(paths.authorities()));
  SKIFF_ASSIGN_OR_RETURN(std::string cluster, read_or_empty(paths.cluster()));
  if (!cluster.empty()) read_cluster(cluster, files, joined);
  if (!files.key_pem.empty() && pki::split_certificates(joined.ca_pem)) {
    files.node_name = joined.name;
    files.ca_pem = joined.ca_pem;
  }
  if (is_whole(joined)) files.joined = std::move(joined);
  return files;
}

base::Result<std::string> make_node_key(const std::string& data_dir) {
  const Paths paths(data_dir);
  SKIFF_RETURN_IF_ERROR(sys::make_folders(paths.keys, kKeyFolderMode));
  SKIFF_ASSIGN_OR_RETURN(auto key, pki::make_private_key());
  SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(paths.key(), key, kKeyMode));
  return key;
}

base::Status remove_joined_files(const std::string& data_dir) {
  const Paths paths(data_dir);
  SKIFF_RETURN_IF_ERROR(sys::remove_tree(paths.cluster()));
  for (const auto& path : {paths.key(), paths.certificate(), paths.serving(), paths.authorities()})
    SKIFF_RETURN_IF_ERROR(sys::remove_tree(path));
  return base::Status::ok();
}

base::Status write_joined_files(const std::string& data_dir, const JoinedNode& joined,
                                const std::string& board_fingerprint) {
  const Paths paths(data_dir);
  SKIFF_RETURN_IF_ERROR(sys::make_folders(paths.node, kKeyFolderMode));
  auto write = [](const std::string& path, std::string_view text) {
    return sys::write_file_atomic(path, text, kCertificateMode);
  };
  SKIFF_RETURN_IF_ERROR(write(paths.authorities(), joined.ca_pem));
  SKIFF_RETURN_IF_ERROR(write(paths.certificate(), joined.certificate_pem));
  SKIFF_RETURN_IF_ERROR(write(paths.serving(), joined.serving_certificate_pem));
  Json cluster = Json::object({{"nodeName", joined.name},
                               {"clusterCIDR", joined.cluster.cluster_cidr},
                               {"serviceCIDR", joined.cluster.service_cidr},
                               {"clusterDNS", joined.cluster.cluster_dns},
                               {"clusterDomain", joined.cluster.cluster_domain}});
  if (!board_fingerprint.empty()) cluster.set("board", board_fingerprint);
  return write(paths.cluster(), codec::write_json_pretty(cluster) + "\n");
}

}  // namespace skiff::app
