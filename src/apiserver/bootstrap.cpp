// What every cluster has from its first moment on.
#include <skiff/base/strings.h>

#include "apiserver/roles/default_roles.h"
#include "apiserver/server.h"

namespace skiff::apiserver {

using client::Client;
using client::Resource;
using codec::Json;

namespace {

Json metadata(std::string_view namespace_name, std::string_view name, Json labels) {
  Json result = Json::object({{"name", name}});
  if (!namespace_name.empty()) result.set("namespace", namespace_name);
  if (!labels.empty()) result.set("labels", std::move(labels));
  return result;
}

Json port(std::string_view name, int number, std::string_view protocol) {
  return Json::object({{"name", name}, {"port", number}, {"protocol", protocol}});
}

Json namespace_object(std::string_view name) {
  return Json::object(
      {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", metadata({}, name, Json())}});
}

Json service_object(Json meta, std::string_view address, Json ports) {
  return Json::object({{"apiVersion", "v1"},
                       {"kind", "Service"},
                       {"metadata", std::move(meta)},
                       {"spec", Json::object({{"type", "ClusterIP"},
                                              {"clusterIP", address},
                                              {"sessionAffinity", "None"},
                                              {"ports", std::move(ports)}})}});
}

Json kubernetes_service(std::string_view address, int target_port) {
  Json https = port("https", 443, "TCP");
  https.set("targetPort", target_port);
  Json labels = Json::object({{"component", "apiserver"}, {"provider", "kubernetes"}});
  return service_object(metadata("default", "kubernetes", std::move(labels)), address,
                        Json::array({https}));
}

Json kubernetes_endpoints(const std::string& ip, int https_port) {
  Json address = Json::object({{"ip", ip}});
  Json subset = Json::object({{"addresses", Json::array({address})},
                              {"ports", Json::array({port("https", https_port, "TCP")})}});
  Json labels = Json::object({{"endpointslice.kubernetes.io/skip-mirror", "true"}});
  return Json::object({{"apiVersion", "v1"},
                       {"kind", "Endpoints"},
                       {"metadata", metadata("default", "kubernetes", std::move(labels))},
                       {"subsets", Json::array({subset})}});
}

Json kubernetes_slice(const std::string& ip, int https_port) {
  Json endpoint = Json::object(
      {{"addresses", Json::array({Json(ip)})}, {"conditions", Json::object({{"ready", true}})}});
  Json labels = Json::object({{"kubernetes.io/service-name", "kubernetes"}});
  return Json::object({{"apiVersion", "discovery.k8s.io/v1"},
                       {"kind", "EndpointSlice"},
                       {"metadata", metadata("default", "kubernetes", std::move(labels))},
                       {"addressType", "IPv4"},
                       {"endpoints", Json::array({endpoint})},
                       {"ports", Json::array({port("https", https_port, "TCP")})}});
}

Json dns_service(std::string_view address) {
  Json labels = Json::object({{"k8s-app", "kube-dns"},
                              {"kubernetes.io/cluster-service", "true"},
                              {"kubernetes.io/name", "CoreDNS"}});
  Json udp = port("dns", 53, "UDP");
  Json tcp = port("dns-tcp", 53, "TCP");
  udp.set("targetPort", 53);
  tcp.set("targetPort", 53);
  return service_object(metadata("kube-system", "kube-dns", std::move(labels)), address,
                        Json::array({udp, tcp}));
}

// Every member of `wanted` is in `found` with the same value; what was defaulted beside it counts
// for nothing.
bool covers(const Json& found, const Json& wanted) {
  if (wanted.is_object()) {
    for (const auto& member : wanted.members()) {
      if (!covers(found[member.key], member.value)) return false;
    }
    return true;
  }
  if (wanted.is_array()) {
    if (wanted.size() != found.size()) return false;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (!covers(found.item(i), wanted.item(i))) return false;
    }
    return true;
  }
  return found == wanted;
}

void overlay(Json& object, const Json& wanted) {
  for (const auto& member : wanted.members()) {
    if (member.value.is_object()) {
      overlay(object[member.key], member.value);
    } else {
      object.set(member.key, member.value);
    }
  }
}

base::Task<base::Status> ensure(Client& client, Resource resource, Json wanted) {
  std::string namespace_name(api::namespace_of(wanted));
  std::string name(api::name_of(wanted));
  auto getting = client.get(resource, namespace_name, name);
  auto found = co_await std::move(getting);
  if (found.is_ok()) {
    if (covers(*found, wanted)) co_return base::Status();
    Json object = std::move(*found);
    overlay(object, wanted);
    auto updating = client.update(resource, std::move(object));
    auto updated = co_await std::move(updating);
    co_return updated.status().with_context(base::concat(resource.resource, " ", name));
  }
  if (found.code() != base::Code::not_found) co_return found.status();
  auto creating = client.create(resource, namespace_name, std::move(wanted));
  auto created = co_await std::move(creating);
  // Another one made it in between: as good.
  if (created.code() == base::Code::already_exists) co_return base::Status();
  co_return created.status().with_context(base::concat(resource.resource, " ", name));
}

}  // namespace

base::Task<base::Status> ensure_bootstrap(Services& services, Client& client) {
  namespace r = client::resources;
  const auto& options = services.options;
  for (std::string_view name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    auto task = ensure(client, r::namespaces, namespace_object(name));
    SKIFF_CO_RETURN_IF_ERROR(co_await std::move(task));
  }
  auto roles = ensure_roles(services, client);
  SKIFF_CO_RETURN_IF_ERROR(co_await std::move(roles));
  auto address = registry::first_service_address(options.service_cidr);
  if (!address.is_ok()) co_return address.status();
  auto service = ensure(client, r::services, kubernetes_service(*address, options.advertise_port));
  SKIFF_CO_RETURN_IF_ERROR(co_await std::move(service));
  auto dns = ensure(client, r::services, dns_service(options.cluster_dns));
  SKIFF_CO_RETURN_IF_ERROR(co_await std::move(dns));
  const std::string ip = services.advertised_address();
  if (ip.empty()) co_return base::Status();
  auto endpoints = ensure(client, r::endpoints, kubernetes_endpoints(ip, options.advertise_port));
  SKIFF_CO_RETURN_IF_ERROR(co_await std::move(endpoints));
  auto slice = ensure(client, r::endpoint_slices, kubernetes_slice(ip, options.advertise_port));
  co_return co_await std::move(slice);
}

}  // namespace skiff::apiserver
