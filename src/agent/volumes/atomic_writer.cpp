#include "agent/volumes/atomic_writer.h"

#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>
#include <skiff/sys/files.h>

#include "agent/limits.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

namespace skiff::agent {

namespace {

std::string top_name(const std::string& path) { return path.substr(0, path.find('/')); }

std::string read_link(const std::string& path) {
  char target[4096];
  ssize_t length = readlink(path.c_str(), target, sizeof(target));
  return length > 0 ? std::string(target, static_cast<std::size_t>(length)) : std::string();
}

// Regular files below a folder, with their bytes.
void collect(const std::string& folder, const std::string& prefix,
             std::map<std::string, std::string>* out) {
  auto names = sys::list_folder(folder);
  if (!names) return;
  for (const auto& name : *names) {
    std::string path = folder + "/" + name;
    struct stat info {};
    if (lstat(path.c_str(), &info) != 0) continue;
    if (S_ISDIR(info.st_mode)) {
      collect(path, prefix + name + "/", out);
    } else if (auto bytes = sys::read_file(path, kVolumePayloadBytesMax)) {
      (*out)[prefix + name] = std::move(*bytes);
    }
  }
}

bool is_same(const std::string& folder, const Payload& payload) {
  std::map<std::string, std::string> present;
  collect(folder, "", &present);
  if (present.size() != payload.size()) return false;
  for (const auto& [path, file] : payload) {
    auto it = present.find(path);
    if (it == present.end() || it->second != file.bytes) return false;
  }
  return true;
}

base::Status write_one(const std::string& path, const PayloadFile& file,
                       std::optional<std::int64_t> group) {
  SKIFF_RETURN_IF_ERROR(sys::make_folders(path.substr(0, path.rfind('/'))));
  base::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return base::errno_status(errno, path);
  SKIFF_RETURN_IF_ERROR(sys::write_all(fd.get(), file.bytes));
  unsigned mode = file.mode;
  if (group) mode |= 0440;
  constexpr std::int64_t kAsIs = -1;
  if ((file.user || group) && fchown(fd.get(), static_cast<uid_t>(file.user.value_or(kAsIs)),
                                     static_cast<gid_t>(group.value_or(kAsIs))) != 0)
    return base::errno_status(errno, base::concat("chown ", path));
  if (fchmod(fd.get(), mode) != 0) return base::errno_status(errno, base::concat("chmod ", path));
  return {};
}

base::Status point_to(const std::string& link, const std::string& target) {
  std::string temporary = link + "_tmp";
  unlink(temporary.c_str());
  if (symlink(target.c_str(), temporary.c_str()) != 0) return base::errno_status(errno, temporary);
  if (rename(temporary.c_str(), link.c_str()) != 0) return base::errno_status(errno, link);
  return {};
}

}  // namespace

base::Result<bool> write_payload(const std::string& folder, const Payload& payload,
                                 const std::string& unique, std::optional<std::int64_t> group) {
  SKIFF_RETURN_IF_ERROR(sys::make_folders(folder));
  std::string data = folder + "/..data";
  std::string old_name = read_link(data);
  if (!old_name.empty() && is_same(folder + "/" + old_name, payload)) return false;
  std::string new_name = ".." + unique;
  std::string fresh = folder + "/" + new_name;
  SKIFF_RETURN_IF_ERROR(sys::remove_tree(fresh));
  SKIFF_RETURN_IF_ERROR(sys::make_folders(fresh));
  for (const auto& [path, file] : payload) {
    auto written = write_one(fresh + "/" + path, file, group);
    if (written.is_ok()) continue;
    (void)sys::remove_tree(fresh);
    return written;
  }
  SKIFF_RETURN_IF_ERROR(point_to(data, new_name));
  std::set<std::string> wanted;
  for (const auto& entry : payload) wanted.insert(top_name(entry.first));
  for (const auto& name : wanted) {
    std::string link = folder + "/" + name;
    if (read_link(link) != "..data/" + name)
      SKIFF_RETURN_IF_ERROR(point_to(link, "..data/" + name));
  }
  SKIFF_ASSIGN_OR_RETURN(auto names, sys::list_folder(folder));
  for (const auto& name : names) {
    bool is_hidden = base::starts_with(name, "..");
    if (name == "..data" || name == new_name || (!is_hidden && wanted.count(name) != 0)) continue;
    SKIFF_RETURN_IF_ERROR(sys::remove_tree(folder + "/" + name));
  }
  return true;
}

}  // namespace skiff::agent
