// Images: names, pulls, imports, and the unpacked layers that root file systems are made of.
// Calls may block: work pool. Thread-safe.
#pragma once

#include <skiff/base/cancel.h>
#include <skiff/base/clock.h>
#include <skiff/base/result.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace skiff::runtime {

// "registry/repository:tag@digest", normalised as Docker does ("nginx" is
// "docker.io/library/nginx:latest").
struct ImageReference {
  std::string registry, repository, tag, digest;
  std::string to_string() const;
};
// Errors: invalid_argument ("couldn't parse image name \"…\": invalid reference format").
base::Result<ImageReference> parse_image_reference(std::string_view text);

struct ImageConfig {
  std::string user, working_dir, stop_signal;
  std::vector<std::string> env, entrypoint, command;
};

struct Image {
  std::string id;                    // sha256 of the config, "sha256:…"
  std::vector<std::string> names;    // "docker.io/library/web:1"
  std::vector<std::string> digests;  // "docker.io/library/web@sha256:…"
  std::int64_t size_bytes = 0;
  bool pinned = false;  // imported: never collected
  base::WallTime last_used_at;
  ImageConfig config;
};

struct RegistryAuth {
  std::string username, password, identity_token;
};

class ImageService {
 public:
  virtual ~ImageService() = default;
  // Errors: not_found.
  virtual base::Result<Image> find(std::string_view reference_or_id) = 0;
  virtual std::vector<Image> list() = 0;
  // Tries the credentials in order, then none. Concurrent pulls of one image share the work.
  // Errors carry the registry's answer in one sentence.
  virtual base::Result<Image> pull(std::string_view reference,
                                   const std::vector<RegistryAuth>& credentials,
                                   base::CancelToken cancel) = 0;
  // docker-archive and OCI archives (plain, gzip, zstd) and OCI folders.
  virtual base::Result<std::vector<Image>> import(const std::string& path) = 0;
  virtual base::Status remove(std::string_view id) = 0;
  // Bytes of the content store and snapshots.
  virtual std::int64_t bytes_used() const = 0;
};

struct ImageServiceOptions {
  std::string data_dir;         // <data-dir>/images, <data-dir>/content, <data-dir>/snapshots
  std::string registries_file;  // registries.yaml (mirrors, credentials, TLS); may be absent
};
base::Result<std::unique_ptr<ImageService>> make_image_service(const ImageServiceOptions& options);

}  // namespace skiff::runtime
