#include <skiff/api/selector.h>
#include <skiff/api/table.h>
#include <skiff/base/strings.h>

#include "api/table_format.h"

namespace skiff::api {

namespace {

using codec::Json;

std::string_view name_cell(const Json& object) {
  return object.at({"metadata", "name"}).as_string();
}

Json age_cell(const Json& object, base::WallTime now) {
  return age_since(object.at({"metadata", "creationTimestamp"}), now);
}

std::string selector_text(const Json& selector) {
  auto parsed = LabelSelector::from_json(selector);
  if (!parsed) return "<error>";
  return parsed->matches_everything() ? "" : parsed->to_string();
}

// Names and images of a template's containers.
void add_container_cells(const Json& object, Json& cells) {
  std::vector<std::string> names, images;
  for (const Json& container : object.at({"spec", "template", "spec", "containers"}).items()) {
    names.emplace_back(container["name"].as_string());
    images.emplace_back(container["image"].as_string());
  }
  cells.push_back(base::join(names, ","));
  cells.push_back(base::join(images, ","));
}

Json deployment_cells(const Json& object, base::WallTime now) {
  const Json& status = object["status"];
  Json cells = Json::array({name_cell(object),
                            base::concat(status["readyReplicas"].as_int(), "/",
                                         object.at({"spec", "replicas"}).as_int()),
                            status["updatedReplicas"].as_int(),
                            status["availableReplicas"].as_int(), age_cell(object, now)});
  add_container_cells(object, cells);
  cells.push_back(selector_text(object.at({"spec", "selector"})));
  return cells;
}

Json replica_set_cells(const Json& object, base::WallTime now) {
  const Json& status = object["status"];
  Json cells = Json::array({name_cell(object), object.at({"spec", "replicas"}).as_int(),
                            status["replicas"].as_int(), status["readyReplicas"].as_int(),
                            age_cell(object, now)});
  add_container_cells(object, cells);
  cells.push_back(or_none(selector_text(object.at({"spec", "selector"}))));
  return cells;
}

Json namespace_cells(const Json& object, base::WallTime now) {
  return Json::array(
      {name_cell(object), object.at({"status", "phase"}).as_string(), age_cell(object, now)});
}

Json secret_cells(const Json& object, base::WallTime now) {
  return Json::array({name_cell(object), object["type"].as_string(),
                      static_cast<long long>(object["data"].size()), age_cell(object, now)});
}

Json config_map_cells(const Json& object, base::WallTime now) {
  return Json::array({name_cell(object),
                      static_cast<long long>(object["data"].size() + object["binaryData"].size()),
                      age_cell(object, now)});
}

Json service_account_cells(const Json& object, base::WallTime now) {
  return Json::array({name_cell(object), age_cell(object, now)});
}

Json lease_cells(const Json& object, base::WallTime now) {
  return Json::array({name_cell(object), object.at({"spec", "holderIdentity"}).as_string(),
                      age_cell(object, now)});
}

// Names of the subjects of a kind; accounts with their namespace.
std::string subject_names(const Json& object, std::string_view kind) {
  std::vector<std::string> names;
  for (const Json& subject : object["subjects"].items()) {
    if (subject["kind"].as_string() != kind) continue;
    auto where = subject["namespace"].as_string();
    auto name = subject["name"].as_string();
    const bool qualified = kind == "ServiceAccount" && !where.empty();
    names.push_back(qualified ? base::concat(where, "/", name) : std::string(name));
  }
  return base::join(names, ", ");
}

Json role_binding_cells(const Json& object, base::WallTime now) {
  const Json& role = object["roleRef"];
  return Json::array({name_cell(object),
                      base::concat(role["kind"].as_string(), "/", role["name"].as_string()),
                      age_cell(object, now), subject_names(object, "User"),
                      subject_names(object, "Group"), subject_names(object, "ServiceAccount")});
}

Json other_cells(const Json& object, base::WallTime) {
  return Json::array({name_cell(object), object.at({"metadata", "creationTimestamp"}).as_string()});
}

constexpr TableColumn kName{"Name", "string", "name", 0};
constexpr TableColumn kAge{"Age", "string", "", 0};
constexpr TableColumn kContainers{"Containers", "string", "", 1};
constexpr TableColumn kImages{"Images", "string", "", 1};
constexpr TableColumn kSelector{"Selector", "string", "", 1};

constexpr TableColumn kPod[] = {kName,
                                {"Ready", "string", "", 0},
                                {"Status", "string", "", 0},
                                {"Restarts", "string", "", 0},
                                kAge,
                                {"IP", "string", "", 1},
                                {"Node", "string", "", 1},
                                {"Nominated Node", "string", "", 1},
                                {"Readiness Gates", "string", "", 1}};
constexpr TableColumn kReplicaSet[] = {kName,
                                       {"Desired", "integer", "", 0},
                                       {"Current", "integer", "", 0},
                                       {"Ready", "integer", "", 0},
                                       kAge,
                                       kContainers,
                                       kImages,
                                       kSelector};
constexpr TableColumn kDeployment[] = {kName,
                                       {"Ready", "string", "", 0},
                                       {"Up-to-date", "string", "", 0},
                                       {"Available", "string", "", 0},
                                       kAge,
                                       kContainers,
                                       kImages,
                                       kSelector};
constexpr TableColumn kService[] = {kName,
                                    {"Type", "string", "", 0},
                                    {"Cluster-IP", "string", "", 0},
                                    {"External-IP", "string", "", 0},
                                    {"Port(s)", "string", "", 0},
                                    kAge,
                                    kSelector};
constexpr TableColumn kEndpoints[] = {kName, {"Endpoints", "string", "", 0}, kAge};
constexpr TableColumn kEndpointSlice[] = {kName,
                                          {"AddressType", "string", "", 0},
                                          {"Ports", "string", "", 0},
                                          {"Endpoints", "string", "", 0},
                                          kAge};
constexpr TableColumn kNode[] = {kName,
                                 {"Status", "string", "", 0},
                                 {"Roles", "string", "", 0},
                                 kAge,
                                 {"Version", "string", "", 0},
                                 {"Internal-IP", "string", "", 1},
                                 {"External-IP", "string", "", 1},
                                 {"OS-Image", "string", "", 1},
                                 {"Kernel-Version", "string", "", 1},
                                 {"Container-Runtime", "string", "", 1}};
constexpr TableColumn kEvent[] = {{"Last Seen", "string", "", 0}, {"Type", "string", "", 0},
                                  {"Reason", "string", "", 0},    {"Object", "string", "", 0},
                                  {"Subobject", "string", "", 1}, {"Source", "string", "", 1},
                                  {"Message", "string", "", 0},   {"First Seen", "string", "", 1},
                                  {"Count", "string", "", 1},     {"Name", "string", "", 1}};
constexpr TableColumn kNamespace[] = {kName, {"Status", "string", "", 0}, kAge};
constexpr TableColumn kSecret[] = {
    kName, {"Type", "string", "", 0}, {"Data", "string", "", 0}, kAge};
constexpr TableColumn kConfigMap[] = {kName, {"Data", "string", "", 0}, kAge};
constexpr TableColumn kServiceAccount[] = {kName, kAge};
constexpr TableColumn kLease[] = {kName, {"Holder", "string", "", 0}, kAge};
constexpr TableColumn kRoleBinding[] = {kName,
                                        {"Role", "string", "", 0},
                                        kAge,
                                        {"Users", "string", "", 1},
                                        {"Groups", "string", "", 1},
                                        {"ServiceAccounts", "string", "", 1}};
constexpr TableColumn kSigningRequest[] = {kName,
                                           kAge,
                                           {"SignerName", "string", "", 0},
                                           {"Requestor", "string", "", 0},
                                           {"RequestedDuration", "string", "", 0},
                                           {"Condition", "string", "", 0}};
constexpr TableColumn kOther[] = {kName, {"Created At", "date", "", 0}};

struct Printer {
  std::string_view group, resource;
  std::span<const TableColumn> columns;
  Json (*cells)(const Json& object, base::WallTime now);
};

constexpr Printer kPrinters[] = {
    {"", "pods", kPod, pod_cells},
    {"", "nodes", kNode, node_cells},
    {"", "services", kService, service_cells},
    {"", "endpoints", kEndpoints, endpoints_cells},
    {"", "events", kEvent, event_cells},
    {"events.k8s.io", "events", kEvent, event_cells},
    {"", "namespaces", kNamespace, namespace_cells},
    {"", "secrets", kSecret, secret_cells},
    {"", "configmaps", kConfigMap, config_map_cells},
    {"", "serviceaccounts", kServiceAccount, service_account_cells},
    {"apps", "deployments", kDeployment, deployment_cells},
    {"apps", "replicasets", kReplicaSet, replica_set_cells},
    {"coordination.k8s.io", "leases", kLease, lease_cells},
    {"discovery.k8s.io", "endpointslices", kEndpointSlice, endpoint_slice_cells},
    {"certificates.k8s.io", "certificatesigningrequests", kSigningRequest, signing_request_cells},
    {"rbac.authorization.k8s.io", "rolebindings", kRoleBinding, role_binding_cells},
    {"rbac.authorization.k8s.io", "clusterrolebindings", kRoleBinding, role_binding_cells},
};
constexpr Printer kOtherPrinter{"", "", kOther, other_cells};

const Printer& printer_of(const ResourceInfo& resource) {
  for (const Printer& printer : kPrinters)
    if (printer.resource == resource.resource && printer.group == resource.group) return printer;
  return kOtherPrinter;
}

}  // namespace

std::span<const TableColumn> table_columns(const ResourceInfo& resource) {
  return printer_of(resource).columns;
}

Json table_column_definitions(const ResourceInfo& resource) {
  Json out = Json::array();
  for (const TableColumn& column : table_columns(resource))
    out.push_back(Json::object({{"name", column.name},
                                {"type", column.type},
                                {"format", column.format},
                                {"description", ""},
                                {"priority", column.priority}}));
  return out;
}

Json table_cells(const ResourceInfo& resource, const Json& object, base::WallTime now) {
  return printer_of(resource).cells(object, now);
}

}  // namespace skiff::api
