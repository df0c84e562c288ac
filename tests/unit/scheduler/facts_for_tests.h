// Short ways to write pods and nodes.
#pragma once

#include "scheduler/cluster.h"

#include <skiff/base/strings.h>
#include <skiff/codec/json.h>

#include <catch2/catch.hpp>

namespace skiff::test {

inline codec::Json json(std::string_view text) {
  auto parsed = codec::parse_json(text);
  REQUIRE(parsed.is_ok());
  return *parsed;
}

// `extra` is merged into spec.
inline codec::Json pod_json(std::string_view name, std::string_view cpu, std::string_view memory,
                            std::string_view extra = "{}") {
  codec::Json pod = json(R"({"apiVersion":"v1","kind":"Pod","status":{"phase":"Pending"}})");
  pod["metadata"].set("name", name);
  pod["metadata"].set("namespace", "default");
  pod["metadata"].set("uid", std::string(name) + "-uid");
  codec::Json container = codec::Json::object({{"name", "c"}, {"image", "web"}});
  if (!cpu.empty()) container["resources"]["requests"].set("cpu", cpu);
  if (!memory.empty()) container["resources"]["requests"].set("memory", memory);
  pod["spec"].set("containers", codec::Json::array({std::move(container)}));
  const codec::Json more = json(extra);
  for (const auto& member : more.members()) pod["spec"].set(member.key, member.value);
  return pod;
}
inline scheduler::PodFacts pod(std::string_view name, std::string_view cpu, std::string_view memory,
                               std::string_view extra = "{}") {
  return scheduler::parse_pod(pod_json(name, cpu, memory, extra));
}

inline codec::Json node_json(std::string_view name, std::string_view cpu, std::string_view memory,
                             std::string_view labels = "{}") {
  codec::Json node = json(R"({"apiVersion":"v1","kind":"Node"})");
  node["metadata"].set("name", name);
  node["metadata"].set("labels", json(labels));
  node["status"]["allocatable"].set("cpu", cpu);
  node["status"]["allocatable"].set("memory", memory);
  node["status"]["allocatable"].set("pods", "110");
  return node;
}
inline scheduler::NodeFacts node(std::string_view name, std::string_view cpu,
                                 std::string_view memory, std::string_view labels = "{}") {
  return scheduler::parse_node(node_json(name, cpu, memory, labels));
}

inline void place(scheduler::Cluster& cluster, const scheduler::PodFacts& pod,
                  const std::string& node) {
  scheduler::PlacedPod placed;
  placed.uid = pod.uid;
  placed.node = node;
  placed.use = pod.use;
  placed.namespace_name = pod.namespace_name;
  placed.labels = pod.labels;
  placed.anti_affinity = pod.anti_affinity;
  cluster.put_pod(pod.key, std::move(placed));
}

}  // namespace skiff::test
