#include "runtime/image/archive_import.h"

#include <skiff/base/strings.h>
#include <skiff/sys/features.h>
#include <skiff/sys/files.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/image/layer.h"
#include "runtime/image/manifest.h"
#include "runtime/image/sha256.h"
#include "runtime/limits.h"

namespace skiff::runtime {
namespace {

using base::concat;
using base::invalid_argument;

// An image's files below one root, which nobody trusts. Thread-compatible.
class FolderImport {
 public:
  FolderImport(ImageStore& store, int root_fd) : store_(store), root_fd_(root_fd) {}

  base::Result<std::vector<ImageRecord>> run() {
    if (auto text = read("manifest.json", kManifestBytesMax); text.is_ok()) {
      SKIFF_RETURN_IF_ERROR(import_docker(*text));
    } else if (auto index = read("index.json", kManifestBytesMax); index.is_ok()) {
      SKIFF_RETURN_IF_ERROR(import_oci(*index, "", 0));
    } else {
      return invalid_argument("neither manifest.json nor index.json in it: no image archive");
    }
    if (records_.empty())
      return invalid_argument(concat("no image for linux/", sys::machine_architecture(), " in it"));
    return std::move(records_);
  }

 private:
  base::Result<base::UniqueFd> open(std::string_view path) {
    SKIFF_ASSIGN_OR_RETURN(auto fd, sys::open_in_root(root_fd_, path, O_RDONLY | O_NONBLOCK));
    struct stat info {};
    if (fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))
      return invalid_argument(concat(path, " is not a file"));
    return fd;
  }

  base::Result<std::string> read(std::string_view path, std::size_t bytes_max) {
    SKIFF_ASSIGN_OR_RETURN(auto fd, open(path));
    return sys::read_descriptor(fd.get(), bytes_max).with_context(path);
  }

  static std::string blob_path(std::string_view digest) {
    return concat("blobs/sha256/", digest.substr(7));
  }

  base::Result<std::string> read_blob(const Descriptor& blob, std::size_t bytes_max) {
    SKIFF_ASSIGN_OR_RETURN(auto text, read(blob_path(blob.digest), bytes_max));
    if (sha256_digest(text) != blob.digest)
      return base::Status(base::Code::data_loss, concat(blob.digest, " has other content"));
    return text;
  }

  base::Status import_docker(std::string_view manifest) {
    SKIFF_ASSIGN_OR_RETURN(auto images, parse_docker_archive(manifest));
    for (const auto& image : images) {
      SKIFF_ASSIGN_OR_RETURN(auto text, read(image.config_path, kConfigBytesMax));
      ImageRecord record;
      SKIFF_RETURN_IF_ERROR(start_record(text, record));
      if (image.layer_paths.size() != record.diff_ids.size())
        return invalid_argument(concat("archive has ", image.layer_paths.size(),
                                       " layers, the image's config has ", record.diff_ids.size()));
      for (const auto& name : image.names) SKIFF_RETURN_IF_ERROR(add_name(name, "", record));
      SKIFF_RETURN_IF_ERROR(add_layers(image.layer_paths, record));
    }
    return {};
  }

  base::Status import_oci(std::string_view text, const std::string& name, int depth) {
    if (depth > kIndexDepthMax) return invalid_argument("image indexes are nested too deep");
    SKIFF_ASSIGN_OR_RETURN(auto index, parse_manifest(text));
    if (!index.is_index) return invalid_argument("index.json is no image index");
    // The top index lists images, those below list platforms of one image.
    std::vector<const Descriptor*> chosen;
    if (depth == 0) {
      for (const auto& entry : index.manifests)
        if (entry.architecture.empty() || entry.architecture == sys::machine_architecture())
          chosen.push_back(&entry);
    } else if (auto* entry = choose_platform(index.manifests, sys::machine_architecture(),
                                             sys::machine_variant())) {
      chosen.push_back(entry);
    }
    for (const Descriptor* entry : chosen) {
      SKIFF_ASSIGN_OR_RETURN(auto blob, read_blob(*entry, kManifestBytesMax));
      const std::string& own_name = entry->name.empty() ? name : entry->name;
      SKIFF_ASSIGN_OR_RETURN(auto manifest, parse_manifest(blob));
      SKIFF_RETURN_IF_ERROR(manifest.is_index ? import_oci(blob, own_name, depth + 1)
                                              : import_manifest(manifest, entry->digest, own_name));
    }
    return {};
  }

  base::Status import_manifest(const Manifest& manifest, const std::string& digest,
                               const std::string& name) {
    SKIFF_ASSIGN_OR_RETURN(auto text, read_blob(manifest.config, kConfigBytesMax));
    ImageRecord record;
    SKIFF_RETURN_IF_ERROR(start_record(text, record));
    if (manifest.layers.size() != record.diff_ids.size())
      return invalid_argument("manifest and config disagree about the layers");
    if (!name.empty()) SKIFF_RETURN_IF_ERROR(add_name(name, digest, record));
    std::vector<std::string> paths;
    for (const auto& layer : manifest.layers) paths.push_back(blob_path(layer.digest));
    return add_layers(paths, record);
  }

  base::Status start_record(std::string_view config_text, ImageRecord& record) {
    SKIFF_ASSIGN_OR_RETURN(auto config, parse_image_config(config_text));
    if (!config.architecture.empty() && config.architecture != sys::machine_architecture())
      return invalid_argument(concat("image is for ", config.architecture, ", this machine is ",
                                     sys::machine_architecture()));
    record.image.id = sha256_digest(config_text);
    record.image.config = std::move(config.config);
    record.image.pinned = true;
    record.diff_ids = std::move(config.diff_ids);
    return {};
  }

  static base::Status add_name(const std::string& name, const std::string& digest,
                               ImageRecord& record) {
    SKIFF_ASSIGN_OR_RETURN(auto reference, parse_image_reference(name));
    if (!digest.empty())
      record.image.digests.push_back(
          concat(reference.registry, "/", reference.repository, "@", digest));
    reference.digest.clear();
    if (!reference.tag.empty()) record.image.names.push_back(reference.to_string());
    return {};
  }

  base::Status add_layers(const std::vector<std::string>& paths, ImageRecord& record) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      SKIFF_ASSIGN_OR_RETURN(auto fd, open(paths[i]));
      struct stat info {};
      fstat(fd.get(), &info);
      record.image.size_bytes += info.st_size;
      SKIFF_RETURN_IF_ERROR(store_.add_layer(fd.get(), record.diff_ids[i]).with_context(paths[i]));
    }
    SKIFF_RETURN_IF_ERROR(store_.save(record));
    records_.push_back(std::move(record));
    return {};
  }

  ImageStore& store_;
  int root_fd_;
  std::vector<ImageRecord> records_;
};

base::Result<std::vector<ImageRecord>> import_folder(ImageStore& store, const std::string& path) {
  base::UniqueFd root(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return base::errno_status(errno, path);
  return FolderImport(store, root.get()).run();
}

base::Result<std::vector<ImageRecord>> import_file(ImageStore& store, int archive_fd) {
  SKIFF_ASSIGN_OR_RETURN(auto folder, store.make_temporary_folder());
  auto import = [&]() -> base::Result<std::vector<ImageRecord>> {
    {
      base::UniqueFd root(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!root) return base::errno_status(errno, folder);
      UnpackOptions options;
      options.is_layer = false;
      options.bytes_max = kLayerBytesMax;
      options.entries_max = kLayerEntriesMax;
      SKIFF_RETURN_IF_ERROR(unpack_archive(archive_fd, root.get(), options));
    }
    return import_folder(store, folder);
  };
  auto records = import();
  auto removed = sys::remove_tree(folder);
  if (records.is_ok() && !removed.is_ok()) return removed;
  return records;
}

}  // namespace

base::Result<std::vector<ImageRecord>> import_images(ImageStore& store, const std::string& path) {
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::errno_status(errno, concat("open ", path));
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return base::errno_status(errno, path);
  auto records = S_ISDIR(info.st_mode) ? import_folder(store, path) : import_file(store, fd.get());
  return std::move(records).with_context(concat("import ", path));
}

}  // namespace skiff::runtime
