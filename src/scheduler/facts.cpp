#include "scheduler/facts.h"

#include <skiff/api/object.h>
#include <skiff/api/quantity.h>
#include <skiff/base/strings.h>

#include <algorithm>

#include "scheduler/limits.h"

namespace skiff::scheduler {

void Amounts::add(const Amounts& other, std::int64_t sign) {
  milli_cpu += sign * other.milli_cpu;
  memory += sign * other.memory;
  ephemeral_storage += sign * other.ephemeral_storage;
  for (const auto& amount : other.extended) {
    auto found = std::find_if(extended.begin(), extended.end(),
                              [&](const auto& own) { return own.name == amount.name; });
    if (found == extended.end())
      extended.push_back({amount.name, sign * amount.value});
    else
      found->value += sign * amount.value;
  }
}

void Amounts::take_max(const Amounts& other) {
  milli_cpu = std::max(milli_cpu, other.milli_cpu);
  memory = std::max(memory, other.memory);
  ephemeral_storage = std::max(ephemeral_storage, other.ephemeral_storage);
  for (const auto& amount : other.extended) {
    std::int64_t own = extended_value(amount.name);
    if (amount.value <= own) continue;
    Amounts rest;
    rest.extended.push_back({amount.name, amount.value - own});
    add(rest);
  }
}

std::int64_t Amounts::extended_value(std::string_view name) const {
  for (const auto& amount : extended)
    if (amount.name == name) return amount.value;
  return 0;
}

namespace {

api::Quantity quantity_of(const Json& value) {
  if (value.is_int()) return api::Quantity::from_units(value.as_int());
  auto parsed = api::Quantity::parse(value.as_string());
  return parsed.is_ok() ? *parsed : api::Quantity();
}

}  // namespace

Amounts parse_amounts(const Json& resources) {
  Amounts amounts;
  for (const auto& member : resources.members()) {
    api::Quantity quantity = quantity_of(member.value);
    if (member.key == "cpu")
      amounts.milli_cpu = quantity.milli_value();
    else if (member.key == "memory")
      amounts.memory = quantity.value();
    else if (member.key == "ephemeral-storage")
      amounts.ephemeral_storage = quantity.value();
    else if (member.key != "pods")
      amounts.extended.push_back({member.key, quantity.value()});
  }
  return amounts;
}

bool HostPort::collides(const HostPort& other) const {
  if (port != other.port || protocol != other.protocol) return false;
  return address == other.address || address == "0.0.0.0" || other.address == "0.0.0.0";
}

namespace {

// What the containers ask for, `scored` with defaults for those that ask for nothing.
Amounts container_requests(const Json& container, bool scored) {
  const Json& requests = container.at({"resources", "requests"});
  Amounts amounts = parse_amounts(requests);
  if (scored && !requests.contains("cpu")) amounts.milli_cpu = kDefaultMilliCpu;
  if (scored && !requests.contains("memory")) amounts.memory = kDefaultMemoryBytes;
  return amounts;
}

// Containers and sidecars run together; ordinary init containers one after the other, beside the
// sidecars that started before them.
Amounts pod_requests(const Json& spec, bool scored) {
  Amounts total;
  for (const Json& container : spec["containers"].items())
    total.add(container_requests(container, scored));
  Amounts sidecars, start;
  for (const Json& container : spec["initContainers"].items()) {
    Amounts own = container_requests(container, scored);
    if (container["restartPolicy"].as_string() == "Always") {
      total.add(own);
      sidecars.add(own);
      start.take_max(sidecars);
    } else {
      own.add(sidecars);
      start.take_max(own);
    }
  }
  total.take_max(start);
  // Requests of the pod as a whole stand above those of its containers.
  const Json& whole = spec.at({"resources", "requests"});
  Amounts pod_level = parse_amounts(whole);
  if (whole.contains("cpu")) total.milli_cpu = pod_level.milli_cpu;
  if (whole.contains("memory")) total.memory = pod_level.memory;
  total.add(parse_amounts(spec["overhead"]));
  return total;
}

PodTerm parse_pod_term(const Json& term, std::string_view own_namespace) {
  PodTerm parsed;
  auto selector = api::LabelSelector::from_json(term["labelSelector"]);
  if (selector.is_ok()) parsed.selector = *selector;
  parsed.topology_key = term["topologyKey"].as_string();
  for (const Json& name : term["namespaces"].items())
    parsed.namespaces.emplace_back(name.as_string());
  // Namespaces are not looked up by label: {} means all of them, as upstream has it.
  parsed.all_namespaces = term["namespaceSelector"].is_object();
  if (parsed.namespaces.empty() && !parsed.all_namespaces)
    parsed.namespaces.emplace_back(own_namespace);
  return parsed;
}

std::vector<PodTerm> parse_pod_terms(const Json& terms, std::string_view own_namespace) {
  std::vector<PodTerm> parsed;
  for (const Json& term : terms.items()) {
    bool weighted = term.contains("podAffinityTerm");
    PodTerm one = parse_pod_term(weighted ? term["podAffinityTerm"] : term, own_namespace);
    one.weight = static_cast<std::int32_t>(term["weight"].as_int());
    parsed.push_back(std::move(one));
  }
  return parsed;
}

SpreadConstraint parse_spread(const Json& constraint) {
  SpreadConstraint parsed;
  auto selector = api::LabelSelector::from_json(constraint["labelSelector"]);
  if (selector.is_ok()) parsed.selector = *selector;
  parsed.topology_key = constraint["topologyKey"].as_string();
  parsed.max_skew = static_cast<std::int32_t>(constraint["maxSkew"].as_int(1));
  parsed.min_domains = static_cast<std::int32_t>(constraint["minDomains"].as_int(1));
  parsed.required = constraint["whenUnsatisfiable"].as_string() != "ScheduleAnyway";
  return parsed;
}

void parse_affinity(const Json& affinity, PodFacts& facts) {
  const Json& node = affinity["nodeAffinity"];
  const Json& required = node["requiredDuringSchedulingIgnoredDuringExecution"];
  if (required.is_object()) {
    facts.required_terms.emplace();
    for (const Json& term : required["nodeSelectorTerms"].items())
      facts.required_terms->emplace_back(term);
  }
  for (const Json& item : node["preferredDuringSchedulingIgnoredDuringExecution"].items()) {
    NodeTerm term(item["preference"]);
    term.weight = static_cast<std::int32_t>(item["weight"].as_int());
    facts.preferred_terms.push_back(std::move(term));
  }
  auto terms = [&](std::string_view kind, std::string_view when) {
    return parse_pod_terms(affinity[kind][when], facts.namespace_name);
  };
  constexpr std::string_view kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
  constexpr std::string_view kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";
  facts.affinity = terms("podAffinity", kRequired);
  facts.anti_affinity = terms("podAntiAffinity", kRequired);
  facts.preferred_affinity = terms("podAffinity", kPreferred);
  facts.preferred_anti_affinity = terms("podAntiAffinity", kPreferred);
}

}  // namespace

bool PodTerm::matches(std::string_view namespace_name, const api::Labels& labels) const {
  if (!all_namespaces &&
      std::find(namespaces.begin(), namespaces.end(), namespace_name) == namespaces.end())
    return false;
  return selector.matches(labels);
}

PodUse parse_pod_use(const Json& pod) {
  PodUse use;
  const Json& spec = pod["spec"];
  use.requests = pod_requests(spec, false);
  Amounts scored = pod_requests(spec, true);
  use.scored_milli_cpu = scored.milli_cpu;
  use.scored_memory = scored.memory;
  for (std::string_view list : {"containers", "initContainers"})
    for (const Json& container : spec[list].items()) {
      if (list == "initContainers" && container["restartPolicy"].as_string() != "Always") continue;
      for (const Json& port : container["ports"].items()) {
        if (port["hostPort"].as_int() == 0) continue;
        HostPort host_port;
        std::string_view address = port["hostIP"].as_string();
        host_port.address = address.empty() ? "0.0.0.0" : address;
        host_port.protocol = port["protocol"].as_string("TCP");
        host_port.port = static_cast<std::int32_t>(port["hostPort"].as_int());
        use.ports.push_back(std::move(host_port));
      }
    }
  return use;
}

std::vector<PodTerm> parse_required_anti_affinity(const Json& pod) {
  return parse_pod_terms(pod.at({"spec", "affinity", "podAntiAffinity",
                                 "requiredDuringSchedulingIgnoredDuringExecution"}),
                         api::namespace_of(pod));
}

PodFacts parse_pod(const Json& pod) {
  PodFacts facts;
  const Json& spec = pod["spec"];
  facts.key = api::object_key(pod);
  facts.namespace_name = api::namespace_of(pod);
  facts.name = api::name_of(pod);
  facts.uid = api::uid_of(pod);
  facts.priority = static_cast<std::int32_t>(spec["priority"].as_int());
  facts.never_preempts = spec["preemptionPolicy"].as_string() == "Never";
  facts.use = parse_pod_use(pod);
  for (const auto& member : spec["nodeSelector"].members())
    facts.node_selector.emplace_back(member.key, std::string(member.value.as_string()));
  parse_affinity(spec["affinity"], facts);
  for (const Json& toleration : spec["tolerations"].items())
    facts.tolerations.emplace_back(toleration);
  for (const Json& container : spec["containers"].items())
    facts.images.push_back(normal_image_name(container["image"].as_string()));
  for (const auto& member : pod.at({"metadata", "labels"}).members())
    facts.labels.emplace_back(member.key, std::string(member.value.as_string()));
  for (const Json& constraint : spec["topologySpreadConstraints"].items())
    facts.spread.push_back(parse_spread(constraint));
  for (const Json& volume : spec["volumes"].items()) {
    std::string_view claim = volume.at({"persistentVolumeClaim", "claimName"}).as_string();
    if (!claim.empty()) facts.claims.emplace_back(claim);
  }
  return facts;
}

NodeFacts parse_node(const Json& node) {
  NodeFacts facts;
  facts.name = api::name_of(node);
  facts.labels = LabelSet(node.at({"metadata", "labels"}));
  facts.taints = api::parse_taints(node.at({"spec", "taints"}));
  facts.unschedulable = node.at({"spec", "unschedulable"}).as_bool();
  const Json& allocatable = node.at({"status", "allocatable"});
  facts.allocatable = parse_amounts(allocatable);
  facts.allowed_pods = quantity_of(allocatable["pods"]).value();
  for (const Json& image : node.at({"status", "images"}).items())
    for (const Json& name : image["names"].items())
      facts.images.emplace_back(normal_image_name(name.as_string()), image["sizeBytes"].as_int());
  std::sort(facts.images.begin(), facts.images.end());
  return facts;
}

std::string normal_image_name(std::string_view image) {
  std::size_t slash = image.rfind('/');
  std::size_t start = slash == std::string_view::npos ? 0 : slash;
  if (image.find(':', start) != std::string_view::npos ||
      image.find('@', start) != std::string_view::npos)
    return std::string(image);
  return base::concat(image, ":latest");
}

}  // namespace skiff::scheduler
