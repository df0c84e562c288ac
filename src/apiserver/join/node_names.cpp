#include "apiserver/join/node_names.h"

#include <skiff/base/strings.h>

#include "apiserver/join/join.h"
#include "apiserver/server.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

Json key_annotation(const std::string& key_sha256) {
  return Json::object({{auth::kNodeKeyAnnotation, key_sha256}});
}

Json new_node(const std::string& name, const std::string& key_sha256, Json taints) {
  Json node = Json::object(
      {{"apiVersion", "v1"},
       {"kind", "Node"},
       {"metadata", Json::object({{"name", name}, {"annotations", key_annotation(key_sha256)}})}});
  if (!taints.empty()) node.set("spec", Json::object({{"taints", std::move(taints)}}));
  return node;
}

api::ApiError taken_meanwhile(std::string_view name) {
  api::ApiError error;
  error.code = 409;
  error.reason = api::Reason::already_exists;
  error.message = base::concat("another board has taken the name ", base::quote(name),
                               " at this moment; give this one another with --node-name");
  return error;
}

}  // namespace

auth::NodeNameState node_name_state(const Services& services, std::string_view node_name) {
  auto node = services.reader->get("", "nodes", {}, node_name);
  if (node.empty()) return {};
  auto key = api::scan_string(node.text(), {"metadata", "annotations", auth::kNodeKeyAnnotation});
  return {true, key.value_or("")};
}

bool may_be_node(const Services& services, std::string_view node_name,
                 std::string_view key_sha256) {
  const auto state = node_name_state(services, node_name);
  return !state.is_taken || state.key_sha256.empty() || state.key_sha256 == key_sha256;
}

api::Outcome<> claim_node_key(const RequestContext& context, Json& object, const Json& live) {
  const auto& info = context.info;
  const auto node = auth::node_name_of(context.user);
  if (node.empty() || object.is_null() || !live.is_null()) return api::Done{};
  if (!info.group.empty() || info.resource != "nodes") return api::Done{};
  const auto& own_key = context.request.peer.certificate_key_sha256;
  const Json& given = std::as_const(object)["metadata"]["annotations"];
  if (!own_key.empty() && (given.is_object() || given.is_null())) {
    object["metadata"]["annotations"].set(auth::kNodeKeyAnnotation, own_key);
    return api::Done{};
  }
  if (api::annotation(object, auth::kNodeKeyAnnotation).empty()) return api::Done{};
  return api::forbidden_error(
      "", "nodes", api::name_of(object),
      base::concat("node ", base::quote(node), " is not allowed to modify the annotation ",
                   auth::kNodeKeyAnnotation));
}

base::Task<api::Outcome<>> claim_node_name(Services& services, std::string node_name,
                                           auth::NodeNameState expected, std::string key_sha256,
                                           Json taints) {
  auto client = make_loopback_client(services, auth::control_user(auth::kNodeJoiner));
  if (!expected.is_taken) {
    auto creating = client->create(client::resources::nodes, "",
                                   new_node(node_name, key_sha256, std::move(taints)));
    auto created = co_await std::move(creating);
    if (created.is_ok()) co_return api::Done{};
    if (created.code() == base::Code::already_exists) co_return taken_meanwhile(node_name);
    co_return as_api_error(created.status());
  }
  auto getting = client->get(client::resources::nodes, "", node_name);
  auto live = co_await std::move(getting);
  if (!live.is_ok()) co_return as_api_error(live.status());
  if (api::annotation(*live, auth::kNodeKeyAnnotation) != expected.key_sha256) {
    co_return taken_meanwhile(node_name);
  }
  Json patch =
      Json::object({{"metadata", Json::object({{"resourceVersion", api::resource_version_of(*live)},
                                               {"annotations", key_annotation(key_sha256)}})}});
  auto patching = client->patch(client::resources::nodes, "", node_name, client::PatchType::merge,
                                std::move(patch));
  auto patched = co_await std::move(patching);
  if (!patched.is_ok()) co_return as_api_error(patched.status());
  co_return api::Done{};
}

}  // namespace skiff::apiserver
