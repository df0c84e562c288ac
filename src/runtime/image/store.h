// What images are on disk:
//   <data>/content/blobs/<hex>      manifests and layers while they are being fetched
//   <data>/content/images/<hex>.json  one record per image; its time of change is the last use
//   <data>/snapshots/l/<26 hex>     an unpacked layer, named by its diff id
//   <data>/snapshots/c/<container>  upper, work, rootfs and the list of layers of a container
//   <data>/snapshots/tmp            what is being unpacked; emptied at start
// Records are written after the layers they name; all is synced before it gets its name.
#pragma once

#include <skiff/base/result.h>
#include <skiff/base/unique_fd.h>
#include <skiff/runtime/image.h>

#include <string>
#include <vector>

namespace skiff::runtime {

struct ImageRecord {
  Image image;
  std::vector<std::string> diff_ids;  // bottom first
};
std::string write_image_record(const ImageRecord& record);
// Errors: data_loss.
base::Result<ImageRecord> parse_image_record(std::string_view text);

// Thread-safe, also between processes.
class ImageStore {
 public:
  explicit ImageStore(std::string data_dir);

  // Makes the folders.
  base::Status open();

  std::vector<ImageRecord> list() const;
  // By id. Errors: not_found, data_loss.
  base::Result<ImageRecord> load(std::string_view id) const;
  // Adds names and digests to what is known of the image; a name moves from other images.
  base::Status save(ImageRecord record);
  base::Status remove(std::string_view id);
  void touch(std::string_view id) const;

  std::string layer_path(std::string_view diff_id) const;
  bool has_layer(std::string_view diff_id) const;
  // Unpacks the archive and keeps it. Errors: data_loss when the digest is another one.
  base::Status add_layer(int archive_fd, const std::string& diff_id);

  // A folder of its own for an import; the caller removes it.
  base::Result<std::string> make_temporary_folder() const;
  std::string blob_path(std::string_view digest) const;

  // The writable root file system of a container, mounted; returns its path. Idempotent.
  base::Result<std::string> make_snapshot(const std::string& container_id,
                                          const ImageRecord& record);
  base::Status remove_snapshot(const std::string& container_id);
  // Holds one folder per container.
  std::string snapshots_folder() const { return snapshots_ + "/c"; }

  std::int64_t bytes_used() const;

 private:
  std::string record_path(std::string_view id) const;
  base::Result<base::UniqueFd> lock() const;
  bool is_layer_used(const std::string& layer_name) const;
  base::Status copy_layers(const ImageRecord& record, const std::string& target) const;

  std::string content_, snapshots_;
};

}  // namespace skiff::runtime
