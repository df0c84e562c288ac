// The volumes of one pod on disk. Calls block: work pool.
//
//   <data-dir>/pods/<uid>/volumes/<name>          emptyDir
//   <data-dir>/pods/<uid>/sub-paths/<container>/<index>   bind mounts of subPath
//   <runtime-dir>/volumes/<uid>/<name>            configMap, secret, downwardAPI, projected, and
//                                                 emptyDir in memory (a tmpfs of its own)
#pragma once

#include <skiff/base/result.h>
#include <skiff/runtime/runtime.h>

#include "agent/volumes/plan_payload.h"

#include <map>
#include <string>
#include <vector>

namespace skiff::agent {

struct VolumeFolders {
  std::string pod_dir;       // <data-dir>/pods/<uid>
  std::string volatile_dir;  // <runtime-dir>/volumes/<uid>
};
using VolumePaths = std::map<std::string, std::string, std::less<>>;  // volume to host path

// Makes what is not there, updates what changed; idempotent. Errors name the volume as the
// kubelet does: `MountVolume.SetUp failed for volume "x" : configmap "y" not found`.
base::Result<VolumePaths> set_up_volumes(const VolumeFolders& folders, const PayloadInput& input,
                                         const std::string& unique);
// Unmounts and removes everything but hostPath.
base::Status tear_down_volumes(const VolumeFolders& folders);

// The volumeMounts of a container, subPath included. Errors: invalid_argument for a subPath that
// leads out of its volume, not_found for a volume that is not there.
base::Result<std::vector<runtime::Mount>> make_volume_mounts(const VolumeFolders& folders,
                                                             const codec::Json& pod,
                                                             const codec::Json& container,
                                                             const VolumePaths& paths,
                                                             const EnvList& env);

// What hostPath.type asks for. Errors in the kubelet's words ("hostPath type check failed: /x is
// not a directory").
base::Status check_host_path(const std::string& path, std::string_view type);

}  // namespace skiff::agent
