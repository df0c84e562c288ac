#include "agent/volumes/volume_set.h"

#include <skiff/api/quantity.h>
#include <skiff/base/strings.h>
#include <skiff/sys/files.h>
#include <skiff/sys/mounts.h>

#include "agent/volumes/atomic_writer.h"
#include "agent/volumes/sub_path.h"
#include "agent/volumes/volume_usage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace skiff::agent {

namespace {

std::optional<std::int64_t> fs_group(const codec::Json& pod) {
  const auto& group = pod["spec"]["securityContext"]["fsGroup"];
  if (!group.is_number()) return std::nullopt;
  return group.as_int();
}

base::Status own_folder(const std::string& path, std::optional<std::int64_t> group) {
  mode_t mode = 0777;
  if (group) {
    if (chown(path.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(*group)) != 0)
      return base::errno_status(errno, base::concat("chown ", path));
    mode |= 02000;
  }
  if (chmod(path.c_str(), mode) != 0) return base::errno_status(errno, path);
  return {};
}

bool is_mounted(const std::string& path) {
  struct stat here {
  }, parent{};
  std::string up = path + "/..";
  return lstat(path.c_str(), &here) == 0 && lstat(up.c_str(), &parent) == 0 &&
         here.st_dev != parent.st_dev;
}

base::Result<std::string> set_up_empty_dir(const VolumeFolders& folders, const PayloadInput& input,
                                           const codec::Json& volume) {
  const codec::Json& pod = input.pod;
  std::string name(volume["name"].as_string());
  const auto& source = volume["emptyDir"];
  std::string_view medium = source["medium"].as_string();
  if (base::starts_with(medium, "HugePages"))
    return base::Status(base::Code::unimplemented, "emptyDir medium HugePages is not supported");
  bool in_memory = medium == "Memory";
  std::string path =
      in_memory ? folders.volatile_dir + "/" + name : folders.pod_dir + "/volumes/" + name;
  bool is_new = !sys::path_exists(path);
  SKIFF_RETURN_IF_ERROR(sys::make_folders(path));
  if (in_memory && !is_mounted(path)) {
    std::vector<std::string> options{"nosuid", "nodev", "mode=777"};
    if (auto bytes = plan_memory_volume_bytes(pod, volume, input.node); bytes > 0)
      options.push_back(base::concat("size=", bytes));
    SKIFF_RETURN_IF_ERROR(sys::mount("tmpfs", path, "tmpfs", options));
    is_new = true;
  }
  if (is_new) SKIFF_RETURN_IF_ERROR(own_folder(path, fs_group(pod)));
  return path;
}

base::Result<std::string> set_up_one(const VolumeFolders& folders, const PayloadInput& input,
                                     const codec::Json& volume, const std::string& unique) {
  std::string kind = unsupported_volume_kind(volume);
  if (!kind.empty())
    return base::Status(base::Code::unimplemented,
                        base::concat("volumes of type ", kind, " are not supported"));
  if (volume.contains("hostPath")) {
    std::string path(volume["hostPath"]["path"].as_string());
    SKIFF_RETURN_IF_ERROR(check_host_path(path, volume["hostPath"]["type"].as_string()));
    return path;
  }
  if (!is_payload_volume(volume)) return set_up_empty_dir(folders, input, volume);
  SKIFF_ASSIGN_OR_RETURN(auto payload, plan_payload(volume, input));
  std::string path = folders.volatile_dir + "/" + std::string(volume["name"].as_string());
  SKIFF_ASSIGN_OR_RETURN(bool wrote, write_payload(path, payload, unique, fs_group(input.pod)));
  (void)wrote;
  return path;
}

// What the API made is read-only in every container, as upstream has it: who writes there writes
// into what the next change replaces.
bool is_payload_mount(const codec::Json& pod, std::string_view volume_name) {
  for (const auto& volume : pod["spec"]["volumes"].items())
    if (volume["name"].as_string() == volume_name) return is_payload_volume(volume);
  return false;
}

std::vector<std::string> mount_options(const codec::Json& mount, bool is_payload) {
  std::vector<std::string> options{"rbind"};
  std::string_view propagation = mount["mountPropagation"].as_string("None");
  if (propagation == "Bidirectional") {
    options.push_back("rshared");
  } else if (propagation == "HostToContainer") {
    options.push_back("rslave");
  } else {
    options.push_back("rprivate");
  }
  options.push_back(is_payload || mount["readOnly"].as_bool() ? "ro" : "rw");
  return options;
}

}  // namespace

base::Status check_host_path(const std::string& path, std::string_view type) {
  struct stat info {};
  bool exists = stat(path.c_str(), &info) == 0;
  // Nobody asked for a check; container runtimes make what is missing.
  if (type.empty()) return exists ? base::Status() : sys::make_folders(path);
  auto failed = [&](std::string_view what) {
    return base::invalid_argument(
        base::concat("hostPath type check failed: ", path, " is not ", what));
  };
  if (type == "DirectoryOrCreate") {
    if (!exists) return sys::make_folders(path);
    return S_ISDIR(info.st_mode) ? base::Status() : failed("a directory");
  }
  if (type == "FileOrCreate") {
    if (exists) return S_ISREG(info.st_mode) ? base::Status() : failed("a file");
    base::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (!fd) return base::errno_status(errno, path);
    return {};
  }
  if (type == "Directory")
    return exists && S_ISDIR(info.st_mode) ? base::Status() : failed("a directory");
  if (type == "File") return exists && S_ISREG(info.st_mode) ? base::Status() : failed("a file");
  if (type == "Socket")
    return exists && S_ISSOCK(info.st_mode) ? base::Status() : failed("a socket file");
  if (type == "CharDevice")
    return exists && S_ISCHR(info.st_mode) ? base::Status() : failed("a character device");
  if (type == "BlockDevice")
    return exists && S_ISBLK(info.st_mode) ? base::Status() : failed("a block device");
  return base::invalid_argument(base::concat("unknown hostPath type ", type));
}

base::Result<VolumePaths> set_up_volumes(const VolumeFolders& folders, const PayloadInput& input,
                                         const std::string& unique) {
  VolumePaths paths;
  for (const auto& volume : input.pod["spec"]["volumes"].items()) {
    auto path = set_up_one(folders, input, volume, unique);
    if (!path)
      return base::Status(path.code(), base::concat("MountVolume.SetUp failed for volume ",
                                                    base::quote(volume["name"].as_string()), " : ",
                                                    path.status().message()));
    paths[std::string(volume["name"].as_string())] = std::move(*path);
  }
  return paths;
}

base::Status tear_down_volumes(const VolumeFolders& folders) {
  SKIFF_RETURN_IF_ERROR(sys::unmount_tree(folders.pod_dir));
  SKIFF_RETURN_IF_ERROR(sys::unmount_tree(folders.volatile_dir));
  SKIFF_RETURN_IF_ERROR(sys::remove_tree(folders.pod_dir + "/volumes"));
  SKIFF_RETURN_IF_ERROR(sys::remove_tree(folders.pod_dir + "/sub-paths"));
  return sys::remove_tree(folders.volatile_dir);
}

base::Result<std::vector<runtime::Mount>> make_volume_mounts(const VolumeFolders& folders,
                                                             const codec::Json& pod,
                                                             const codec::Json& container,
                                                             const VolumePaths& paths,
                                                             const EnvList& env) {
  std::vector<runtime::Mount> mounts;
  int index = 0;
  for (const auto& mount : container["volumeMounts"].items()) {
    std::string_view name = mount["name"].as_string();
    auto it = paths.find(name);
    if (it == paths.end())
      return base::not_found(base::concat("volume ", base::quote(name), " is not mounted"));
    if (mount["recursiveReadOnly"].as_string() == "Enabled")
      return base::Status(base::Code::unimplemented, "recursiveReadOnly: Enabled is not supported");
    runtime::Mount out;
    out.source = it->second;
    out.destination = mount["mountPath"].as_string();
    if (out.destination.empty() || out.destination[0] != '/') out.destination.insert(0, "/");
    out.options = mount_options(mount, is_payload_mount(pod, name));
    std::string sub_path(mount["subPath"].as_string());
    if (sub_path.empty() && !mount["subPathExpr"].empty()) {
      SKIFF_ASSIGN_OR_RETURN(sub_path, expand_sub_path(mount["subPathExpr"].as_string(), env));
    }
    if (!sub_path.empty()) {
      std::string target =
          base::concat(folders.pod_dir, "/sub-paths/", container["name"].as_string(), "/", index);
      auto bound = bind_sub_path(it->second, sub_path, target);
      if (!bound)
        return base::Status(bound.code(), base::concat("failed to prepare subPath for volumeMount ",
                                                       base::quote(name), " of container ",
                                                       base::quote(container["name"].as_string()),
                                                       ": ", bound.status().message()));
      out.source = std::move(*bound);
    }
    ++index;
    mounts.push_back(std::move(out));
  }
  return mounts;
}

}  // namespace skiff::agent
