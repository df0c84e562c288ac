// config.json of a container, by the OCI runtime specification. Pure.
#pragma once

#include <skiff/base/result.h>
#include <skiff/codec/json.h>
#include <skiff/runtime/image.h>
#include <skiff/runtime/runtime.h>

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/oci/capabilities.h"
#include "runtime/oci/user.h"

namespace skiff::runtime {

struct HostDevice {
  std::string path;
  char type = 'c';  // 'c' or 'b'
  std::int64_t major = 0, minor = 0;
  std::uint32_t mode = 0666, uid = 0, gid = 0;
};

// What the host and the pod are.
struct SpecInputs {
  ImageConfig image;
  ResolvedUser user;
  std::string root_path;
  PodOptions pod;
  int shim_pid = 0;
  int init_pid = 0;         // holder of the pod's process namespace, 0 without one
  std::string cgroup_path;  // "/skiff/burstable/pod1/c1"
  bool is_cgroup_v2 = false;
  bool kills_for_memory_as_one = false;  // all of the container, not one process of it
  std::string shm_path;                  // shared memory folder of the pod
  CapabilitySet available_capabilities = ~CapabilitySet{0};
  int oom_score_adj_min = -1000;
  std::string architecture;
  std::vector<HostDevice> devices;
};

// Errors: invalid_argument ("no command specified", an unknown capability, a bad profile).
base::Result<codec::Json> plan_oci_spec(const ContainerOptions& options, const SpecInputs& inputs);

// The process of an exec: the container's, with another command.
codec::Json plan_exec_process(const codec::Json& container_spec, const ExecOptions& options);

}  // namespace skiff::runtime
