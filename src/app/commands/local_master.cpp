#include "app/commands/local_master.h"

#include <skiff/api/errors.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/codec/yaml.h>
#include <skiff/http/client.h>
#include <skiff/loop/loop.h>
#include <skiff/sys/files.h>

#include "app/credentials/time_floor.h"
#include "app/limits.h"

namespace skiff::app {

using codec::Json;

namespace {

base::Result<std::string> decoded(const Json& of, std::string_view key) {
  return codec::base64_decode(of[key].as_string());
}

const Json& first_of(const Json& tree, std::string_view list) {
  static const Json nothing;
  return tree[list].empty() ? nothing : tree[list].item(0);
}

}  // namespace

base::Result<LocalMaster> LocalMaster::open(const Config& config) {
  const std::string file = config.data_dir + "/admin.kubeconfig";
  auto text = sys::read_file(file, kKeyFileBytesMax);
  if (!text)
    return base::not_found(base::concat(
        "no master has run with this data folder, for ", file,
        " cannot be read; run this on a master, with its --data-dir if that is another one"));
  auto tree = codec::parse_yaml(*text);
  if (!tree) return tree.status().with_context(file);
  const Json& cluster = first_of(*tree, "clusters")["cluster"];
  const Json& user = first_of(*tree, "users")["user"];
  believe_time_floor(config.data_dir);
  LocalMaster master;
  master.url_ = cluster["server"].as_string();
  SKIFF_ASSIGN_OR_RETURN(master.ca_pem_, decoded(cluster, "certificate-authority-data"));
  SKIFF_ASSIGN_OR_RETURN(master.certificate_pem_, decoded(user, "client-certificate-data"));
  SKIFF_ASSIGN_OR_RETURN(master.key_pem_, decoded(user, "client-key-data"));
  return master;
}

base::Result<Json> LocalMaster::call(std::string_view method, std::string_view path,
                                     const Json& body) const {
  http::BlockingRequest request;
  request.method = method;
  request.url = base::concat(url_, path);
  request.ca_pem = ca_pem_;
  request.certificate_pem = certificate_pem_;
  request.key_pem = key_pem_;
  request.now = [] { return loop::real_clock().now(); };
  if (!body.is_null()) {
    request.headers.set("Content-Type", "application/json");
    request.body = codec::write_json(body);
  }
  auto answer = http::send_blocking(std::move(request));
  if (!answer)
    return base::unavailable(base::concat("the master at ", url_, " does not answer (",
                                          answer.status().message(),
                                          "); start it with 'skiff run' first"));
  auto tree = codec::parse_json(answer->body);
  if (!tree) return base::unavailable(base::concat("the master at ", url_, " answers no JSON"));
  if (answer->status < 200 || answer->status >= 300)
    return api::to_base_status(api::ApiError::from_json(*tree));
  return tree;
}

base::Result<base::WallTime> LocalMaster::now() const {
  SKIFF_ASSIGN_OR_RETURN(const Json answer, call("GET", "/skiff/v1/ca"));
  return base::parse_rfc3339(answer["time"].as_string());
}

}  // namespace skiff::app
