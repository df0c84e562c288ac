#include "runtime/image/store.h"

#include <skiff/base/log.h>
#include <skiff/base/random.h>
#include <skiff/base/strings.h>
#include <skiff/loop/loop.h>
#include <skiff/sys/files.h>
#include <skiff/sys/mounts.h>
#include <skiff/sys/process.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/image/layer.h"
#include "runtime/image/manifest.h"
#include "runtime/image/tree_copy.h"
#include "runtime/limits.h"

namespace skiff::runtime {
namespace {

using base::concat;
using base::errno_status;
using codec::Json;

std::string_view hex_of(std::string_view digest) {
  return base::starts_with(digest, "sha256:") ? digest.substr(7) : digest;
}

std::string layer_name(std::string_view diff_id) {
  return std::string(hex_of(diff_id).substr(0, kLayerNameHexDigits));
}

Json strings_json(const std::vector<std::string>& strings) {
  Json out = Json::array();
  for (const auto& text : strings) out.push_back(text);
  return out;
}

std::vector<std::string> strings_of(const Json& json) {
  std::vector<std::string> out;
  for (const Json& item : json.items()) out.emplace_back(item.as_string());
  return out;
}

void add_missing(std::vector<std::string>& to, const std::vector<std::string>& from) {
  for (const auto& text : from)
    if (std::find(to.begin(), to.end(), text) == to.end()) to.push_back(text);
}

}  // namespace

std::string write_image_record(const ImageRecord& record) {
  const ImageConfig& config = record.image.config;
  return codec::write_json(Json::object({{"version", 1},
                                         {"id", record.image.id},
                                         {"names", strings_json(record.image.names)},
                                         {"digests", strings_json(record.image.digests)},
                                         {"size", record.image.size_bytes},
                                         {"pinned", record.image.pinned},
                                         {"layers", strings_json(record.diff_ids)},
                                         {"user", config.user},
                                         {"workingDir", config.working_dir},
                                         {"stopSignal", config.stop_signal},
                                         {"env", strings_json(config.env)},
                                         {"entrypoint", strings_json(config.entrypoint)},
                                         {"command", strings_json(config.command)}}));
}

base::Result<ImageRecord> parse_image_record(std::string_view text) {
  codec::JsonParseOptions options;
  options.limits.bytes_max = kImageRecordBytesMax;
  const auto json = codec::parse_json(text, options);
  if (!json.is_ok())
    return base::Status(base::Code::data_loss, std::string(json.status().message()));
  ImageRecord record;
  record.image.id = (*json)["id"].as_string();
  record.image.names = strings_of((*json)["names"]);
  record.image.digests = strings_of((*json)["digests"]);
  record.image.size_bytes = (*json)["size"].as_int();
  record.image.pinned = (*json)["pinned"].as_bool();
  record.diff_ids = strings_of((*json)["layers"]);
  ImageConfig& config = record.image.config;
  config.user = (*json)["user"].as_string();
  config.working_dir = (*json)["workingDir"].as_string();
  config.stop_signal = (*json)["stopSignal"].as_string();
  config.env = strings_of((*json)["env"]);
  config.entrypoint = strings_of((*json)["entrypoint"]);
  config.command = strings_of((*json)["command"]);
  bool fine = is_digest(record.image.id) &&
              std::all_of(record.diff_ids.begin(), record.diff_ids.end(),
                          [](const std::string& id) { return is_digest(id); });
  if (!fine) return base::Status(base::Code::data_loss, "image record has a bad digest");
  return record;
}

ImageStore::ImageStore(std::string data_dir)
    : content_(concat(data_dir, "/content")), snapshots_(concat(data_dir, "/snapshots")) {}

base::Status ImageStore::open() {
  for (const auto& folder :
       {concat(content_, "/blobs"), concat(content_, "/images"), concat(snapshots_, "/l"),
        concat(snapshots_, "/c"), concat(snapshots_, "/tmp")})
    SKIFF_RETURN_IF_ERROR(sys::make_folders(folder, 0711));
  // What another process is unpacking bears its process id.
  SKIFF_ASSIGN_OR_RETURN(auto held, lock());
  for (const auto& name : sys::list_folder(concat(snapshots_, "/tmp")).value_or({})) {
    std::string path = concat(snapshots_, "/tmp/", name);
    std::size_t dash = name.find('-');
    auto pid = base::parse_int(std::string_view(name).substr(0, dash));
    if (!pid || !sys::path_exists(concat("/proc/", *pid))) (void)sys::remove_tree(path);
  }
  // Downloads that nobody went on with.
  for (const auto& name : sys::list_folder(concat(content_, "/blobs")).value_or({})) {
    std::string path = concat(content_, "/blobs/", name);
    struct stat info {};
    if (stat(path.c_str(), &info) == 0 &&
        loop::real_clock().now() - base::WallTime::from_unix_seconds(info.st_mtime) >
            kPartialBlobAge)
      unlink(path.c_str());
  }
  return {};
}

std::string ImageStore::record_path(std::string_view id) const {
  return concat(content_, "/images/", hex_of(id), ".json");
}
std::string ImageStore::blob_path(std::string_view digest) const {
  return concat(content_, "/blobs/", hex_of(digest));
}
std::string ImageStore::layer_path(std::string_view diff_id) const {
  return concat(snapshots_, "/l/", layer_name(diff_id));
}
bool ImageStore::has_layer(std::string_view diff_id) const {
  return sys::path_exists(layer_path(diff_id));
}
base::Result<base::UniqueFd> ImageStore::lock() const {
  return sys::lock_file(concat(content_, "/lock"));
}

base::Result<ImageRecord> ImageStore::load(std::string_view id) const {
  auto path = record_path(id);
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::not_found(concat("image ", id, " is not here"));
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return errno_status(errno, path);
  SKIFF_ASSIGN_OR_RETURN(auto text, sys::read_descriptor(fd.get(), kImageRecordBytesMax));
  auto record = parse_image_record(text).with_context(path);
  if (record.is_ok())
    record->image.last_used_at = {info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
  return record;
}

std::vector<ImageRecord> ImageStore::list() const {
  std::vector<ImageRecord> records;
  for (const auto& name : sys::list_folder(concat(content_, "/images")).value_or({})) {
    if (!base::ends_with(name, ".json")) continue;
    auto record = load(std::string_view(name).substr(0, name.size() - 5));
    if (record.is_ok())
      records.push_back(std::move(*record));
    else if (record.code() != base::Code::not_found)
      base::log_warning("image record is damaged and left out", {{"error", record.status()}});
  }
  return records;
}

base::Status ImageStore::save(ImageRecord record) {
  SKIFF_ASSIGN_OR_RETURN(auto held, lock());
  for (auto& other : list()) {
    if (other.image.id == record.image.id) {
      add_missing(record.image.names, other.image.names);
      add_missing(record.image.digests, other.image.digests);
      record.image.pinned = record.image.pinned || other.image.pinned;
      continue;
    }
    auto& names = other.image.names;
    auto moved = std::remove_if(names.begin(), names.end(), [&](const std::string& name) {
      const auto& own = record.image.names;
      return std::find(own.begin(), own.end(), name) != own.end();
    });
    if (moved == names.end()) continue;
    names.erase(moved, names.end());
    SKIFF_RETURN_IF_ERROR(
        sys::write_file_atomic(record_path(other.image.id), write_image_record(other)));
  }
  return sys::write_file_atomic(record_path(record.image.id), write_image_record(record));
}

void ImageStore::touch(std::string_view id) const {
  utimensat(AT_FDCWD, record_path(id).c_str(), nullptr, 0);
}

base::Result<std::string> ImageStore::make_temporary_folder() const {
  std::string path =
      concat(snapshots_, "/tmp/", getpid(), "-", base::make_uuid(base::secure_random()));
  SKIFF_RETURN_IF_ERROR(sys::make_folders(path));
  return path;
}

base::Status ImageStore::add_layer(int archive_fd, const std::string& diff_id) {
  if (has_layer(diff_id)) return {};
  SKIFF_ASSIGN_OR_RETURN(auto folder, make_temporary_folder());
  auto unpack = [&]() -> base::Status {
    base::UniqueFd root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) return errno_status(errno, folder);
    UnpackOptions options;
    options.bytes_max = kLayerBytesMax;
    options.entries_max = kLayerEntriesMax;
    SKIFF_ASSIGN_OR_RETURN(auto unpacked, unpack_archive(archive_fd, root.get(), options));
    if (unpacked.diff_id != diff_id)
      return base::Status(base::Code::data_loss, concat("layer has digest ", unpacked.diff_id,
                                                        ", the image says ", diff_id));
    SKIFF_RETURN_IF_ERROR(sys::sync_file_system(root.get()));
    if (rename(folder.c_str(), layer_path(diff_id).c_str()) != 0 && errno != EEXIST &&
        errno != ENOTEMPTY)
      return errno_status(errno, "rename layer");
    return sys::sync_folder(concat(snapshots_, "/l"));
  };
  auto status = unpack();
  auto removed = sys::remove_tree(folder);
  return status.is_ok() ? removed : status;
}

bool ImageStore::is_layer_used(const std::string& name) const {
  for (const auto& record : list())
    for (const auto& id : record.diff_ids)
      if (layer_name(id) == name) return true;
  for (const auto& container : sys::list_folder(concat(snapshots_, "/c")).value_or({})) {
    auto text = sys::read_file(concat(snapshots_, "/c/", container, "/layers"), 1u << 20);
    if (text.is_ok() && text->find(name) != std::string::npos) return true;
  }
  return false;
}

base::Status ImageStore::remove(std::string_view id) {
  SKIFF_ASSIGN_OR_RETURN(auto held, lock());
  SKIFF_ASSIGN_OR_RETURN(auto record, load(id));
  if (unlink(record_path(id).c_str()) != 0) return errno_status(errno, "remove image record");
  SKIFF_RETURN_IF_ERROR(sys::sync_folder(concat(content_, "/images")));
  for (const auto& diff_id : record.diff_ids) {
    if (is_layer_used(layer_name(diff_id))) continue;
    // Out of the way first: a half removed layer must not look whole.
    SKIFF_ASSIGN_OR_RETURN(auto folder, make_temporary_folder());
    std::string grave = concat(folder, "/layer");
    if (rename(layer_path(diff_id).c_str(), grave.c_str()) != 0 && errno != ENOENT)
      return errno_status(errno, "remove layer");
    SKIFF_RETURN_IF_ERROR(sys::remove_tree(folder));
  }
  return {};
}

base::Result<std::string> ImageStore::make_snapshot(const std::string& container_id,
                                                    const ImageRecord& record) {
  std::string folder = concat(snapshots_, "/c/", container_id);
  std::string root = folder + "/rootfs";
  std::vector<std::string> lowers;
  for (auto id = record.diff_ids.rbegin(); id != record.diff_ids.rend(); ++id)
    lowers.push_back(concat("l/", layer_name(*id)));
  {
    // Under the lock, so that no layer is removed before this snapshot names it.
    SKIFF_ASSIGN_OR_RETURN(auto held, lock());
    for (const auto& id : record.diff_ids)
      if (!has_layer(id)) return base::not_found(concat("layer ", id, " is not here"));
    for (auto name : {"/upper", "/work", "/rootfs"})
      SKIFF_RETURN_IF_ERROR(sys::make_folders(folder + name));
    SKIFF_RETURN_IF_ERROR(
        sys::write_file_atomic(folder + "/layers", base::join(lowers, "\n"), 0600, sys::Sync::no));
  }
  if (lowers.empty()) {  // an image without layers: overlayfs wants one
    SKIFF_RETURN_IF_ERROR(sys::make_folders(concat(snapshots_, "/l/empty")));
    lowers.emplace_back("l/empty");
  }
  auto mounted = sys::mount_overlay(snapshots_, lowers, folder + "/upper", folder + "/work", root);
  if (mounted.is_ok()) return root;
  base::log_warning("no overlayfs here, the image is copied",
                    {{"container", container_id}, {"error", mounted}});
  SKIFF_RETURN_IF_ERROR(copy_layers(record, root));
  return root;
}

base::Status ImageStore::copy_layers(const ImageRecord& record, const std::string& target) const {
  base::UniqueFd to(::open(target.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!to) return errno_status(errno, target);
  for (const auto& id : record.diff_ids) {
    base::UniqueFd from(::open(layer_path(id).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!from) return errno_status(errno, layer_path(id));
    SKIFF_RETURN_IF_ERROR(copy_layer_over(from.get(), to.get()).with_context("copy image"));
  }
  return {};
}

base::Status ImageStore::remove_snapshot(const std::string& container_id) {
  std::string folder = concat(snapshots_, "/c/", container_id);
  if (!sys::path_exists(folder)) return {};
  SKIFF_RETURN_IF_ERROR(sys::unmount(folder + "/rootfs"));
  return sys::remove_tree(folder);
}

std::int64_t ImageStore::bytes_used() const {
  return sys::tree_bytes(content_) + sys::tree_bytes(snapshots_ + "/l");
}

}  // namespace skiff::runtime
