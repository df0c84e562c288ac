// Documents of the OCI image format and of Docker's, from bytes that nobody vouched for. Pure.
#pragma once

#include <skiff/base/result.h>
#include <skiff/codec/json.h>
#include <skiff/runtime/image.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::runtime {

// "sha256:" and 64 lower-case hex digits: the one algorithm that is in use.
bool is_digest(std::string_view text);

struct Descriptor {
  std::string media_type, digest;
  std::int64_t size = 0;
  std::string os, architecture, variant;  // of an index's entries
  std::string name;                       // "org.opencontainers.image.ref.name" and the like
};

// A manifest, or an index of manifests.
struct Manifest {
  bool is_index = false;
  Descriptor config;
  std::vector<Descriptor> layers;     // bottom first
  std::vector<Descriptor> manifests;  // of an index
};
// Errors: invalid_argument, too_large, unimplemented (schema 1 and kinds that are no images).
base::Result<Manifest> parse_manifest(std::string_view text);

struct ParsedConfig {
  ImageConfig config;
  std::string architecture;
  std::vector<std::string> diff_ids;  // bottom first
};
base::Result<ParsedConfig> parse_image_config(std::string_view text);

// manifest.json of a docker-archive.
struct DockerArchiveImage {
  std::string config_path;
  std::vector<std::string> names, layer_paths;
};
base::Result<std::vector<DockerArchiveImage>> parse_docker_archive(std::string_view text);

// The entry for this machine; the first one that fits, a matching variant preferred. nullptr: none.
const Descriptor* choose_platform(const std::vector<Descriptor>& manifests,
                                  std::string_view architecture, std::string_view variant);

}  // namespace skiff::runtime
