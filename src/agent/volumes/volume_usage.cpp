#include "agent/volumes/volume_usage.h"

#include <skiff/api/quantity.h>
#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>

#include "agent/container/plan_pod_resources.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string_view>

namespace skiff::agent {

namespace {

constexpr std::int64_t kBlockBytes = 512;  // of st_blocks

// Folder by folder, so that deep trees need no deep stack and few descriptors.
class Walk {
 public:
  Walk(std::string root, dev_t device) : device_(device) { folders_.push_back(std::move(root)); }

  std::int64_t run(std::int64_t enough) {
    while (!folders_.empty() && bytes_ <= enough) {
      std::string folder = std::move(folders_.back());
      folders_.pop_back();
      look(folder);
    }
    return bytes_;
  }

 private:
  void look(const std::string& folder) {
    int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return;
    std::unique_ptr<DIR, int (*)(DIR*)> open_folder(fdopendir(fd), closedir);
    if (!open_folder) {
      close(fd);
      return;
    }
    while (const dirent* entry = readdir(open_folder.get())) {
      std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      struct stat info {};
      if (fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (info.st_dev != device_) continue;
      bytes_ += static_cast<std::int64_t>(info.st_blocks) * kBlockBytes;
      if (S_ISDIR(info.st_mode)) folders_.push_back(base::concat(folder, "/", name));
    }
  }

  const dev_t device_;
  std::vector<std::string> folders_;
  std::int64_t bytes_ = 0;
};

}  // namespace

std::int64_t plan_memory_volume_bytes(const codec::Json& pod, const codec::Json& volume,
                                      const NodeFacts& node) {
  std::int64_t bytes = node.allocatable_memory_bytes;
  auto at_most = [&bytes](std::int64_t limit) {
    if (limit > 0 && (bytes == 0 || limit < bytes)) bytes = limit;
  };
  at_most(plan_pod_resources(pod).memory_limit_bytes);
  auto own = api::Quantity::parse(volume["emptyDir"]["sizeLimit"].as_string());
  if (own) at_most(own->value());
  return bytes;
}

StorageLimits plan_storage_limits(const codec::Json& pod) {
  StorageLimits limits;
  auto add = [](std::vector<StorageLimit>& list, const codec::Json& named,
                const codec::Json& text) {
    auto limit = api::Quantity::parse(text.as_string());
    if (limit && limit->value() > 0)
      list.push_back({std::string(named["name"].as_string()), limit->value(), limit->to_string()});
  };
  for (const auto& volume : pod["spec"]["volumes"].items())
    if (volume["emptyDir"]["medium"].as_string().empty())
      add(limits.volumes, volume, volume["emptyDir"]["sizeLimit"]);
  api::Quantity total;
  for (const auto& container : pod["spec"]["containers"].items()) {
    const auto& limit = container["resources"]["limits"]["ephemeral-storage"];
    add(limits.containers, container, limit);
    if (auto quantity = api::Quantity::parse(limit.as_string())) total = total + *quantity;
  }
  if (!limits.containers.empty())
    limits.pod = StorageLimit{std::string(), total.value(), total.to_string()};
  return limits;
}

std::int64_t folder_bytes(const std::string& path, std::int64_t enough) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return 0;
  return Walk(path, info.st_dev).run(enough);
}

std::optional<std::string> find_storage_excess(const StorageFolders& folders,
                                               const StorageLimits& limits) {
  for (const auto& limit : limits.volumes)
    if (folder_bytes(base::concat(folders.pod_dir, "/volumes/", limit.name), limit.bytes_max) >
        limit.bytes_max)
      return base::concat("Usage of EmptyDir volume ", base::quote(limit.name),
                          " exceeds the limit ", base::quote(limit.text), ". ");
  if (!limits.pod) return std::nullopt;
  std::map<std::string, std::int64_t> used;
  std::int64_t total = folder_bytes(folders.pod_dir + "/volumes", limits.pod->bytes_max);
  for (const auto& [name, written] : folders.containers) {
    for (const auto& folder : written) used[name] += folder_bytes(folder, limits.pod->bytes_max);
    total += used[name];
  }
  if (total > limits.pod->bytes_max)
    return base::concat("Pod ephemeral local storage usage exceeds the total limit of containers ",
                        limits.pod->text, ". ");
  for (const auto& limit : limits.containers)
    if (used[limit.name] > limit.bytes_max)
      return base::concat("Container ", limit.name, " exceeded its local ephemeral storage limit ",
                          base::quote(limit.text), ". ");
  return std::nullopt;
}

}  // namespace skiff::agent
