#include "agent/volumes/volume_usage.h"

#include <skiff/api/quantity.h>
#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>

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

std::vector<VolumeLimit> plan_volume_limits(const codec::Json& pod) {
  std::vector<VolumeLimit> limits;
  for (const auto& volume : pod["spec"]["volumes"].items()) {
    const auto& source = volume["emptyDir"];
    if (source["sizeLimit"].empty() || !source["medium"].as_string().empty()) continue;
    auto limit = api::Quantity::parse(source["sizeLimit"].as_string());
    if (limit && limit->value() > 0)
      limits.push_back(
          {std::string(volume["name"].as_string()), limit->value(), limit->to_string()});
  }
  return limits;
}

std::int64_t folder_bytes(const std::string& path, std::int64_t enough) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return 0;
  return Walk(path, info.st_dev).run(enough);
}

std::optional<std::string> find_large_volume(const std::string& pod_dir,
                                             const std::vector<VolumeLimit>& limits) {
  for (const auto& limit : limits)
    if (folder_bytes(base::concat(pod_dir, "/volumes/", limit.name), limit.bytes_max) >
        limit.bytes_max)
      return base::concat("Usage of EmptyDir volume ", base::quote(limit.name),
                          " exceeds the limit ", base::quote(limit.text), ". ");
  return std::nullopt;
}

}  // namespace skiff::agent
