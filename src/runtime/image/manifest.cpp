#include "runtime/image/manifest.h"

#include <skiff/base/strings.h>

#include <algorithm>

#include "runtime/limits.h"

namespace skiff::runtime {
namespace {

using base::concat;
using base::invalid_argument;
using codec::Json;

base::Result<Json> parse_bounded(std::string_view text, std::size_t bytes_max) {
  codec::JsonParseOptions options;
  options.limits.bytes_max = bytes_max;
  options.limits.depth_max = 32;
  return codec::parse_json(text, options);
}

base::Result<Descriptor> parse_descriptor(const Json& json, std::string_view what) {
  Descriptor out;
  out.media_type = json["mediaType"].as_string();
  out.digest = json["digest"].as_string();
  out.size = json["size"].as_int(-1);
  const Json& platform = json["platform"];
  out.os = platform["os"].as_string();
  out.architecture = platform["architecture"].as_string();
  out.variant = platform["variant"].as_string();
  for (auto key : {"io.containerd.image.name", "org.opencontainers.image.ref.name"})
    if (out.name.empty()) out.name = json["annotations"][key].as_string();
  if (!is_digest(out.digest))
    return invalid_argument(concat(what, " has no sha256 digest: ", base::quote(out.digest)));
  if (out.size < 0) return invalid_argument(concat(what, " has no size"));
  return out;
}

std::vector<std::string> strings_of(const Json& json) {
  std::vector<std::string> out;
  for (const Json& item : json.items())
    if (item.is_string()) out.emplace_back(item.as_string());
  return out;
}

base::Result<Manifest> parse_index(const Json& json) {
  Manifest out;
  out.is_index = true;
  if (json["manifests"].size() > kManifestsInIndexMax)
    return base::Status(base::Code::too_large, "image index has too many manifests");
  for (const Json& item : json["manifests"].items()) {
    SKIFF_ASSIGN_OR_RETURN(auto descriptor, parse_descriptor(item, "entry of the image index"));
    out.manifests.push_back(std::move(descriptor));
  }
  return out;
}

}  // namespace

bool is_digest(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  return text.size() == kPrefix.size() + 64 && base::starts_with(text, kPrefix) &&
         std::all_of(text.begin() + kPrefix.size(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

base::Result<Manifest> parse_manifest(std::string_view text) {
  SKIFF_ASSIGN_OR_RETURN(const auto json,
                         parse_bounded(text, kManifestBytesMax).with_context("image manifest"));
  if (!json.is_object()) return invalid_argument("image manifest: not an object");
  if (json["schemaVersion"].as_int() != 2)
    return base::Status(base::Code::unimplemented,
                        concat("image manifest has schema version ", json["schemaVersion"].as_int(),
                               ", only 2 is known"));
  if (json["manifests"].is_array()) return parse_index(json);
  Manifest out;
  SKIFF_ASSIGN_OR_RETURN(out.config, parse_descriptor(json["config"], "image manifest's config"));
  if (json["layers"].size() > kLayersMax)
    return base::Status(base::Code::too_large, concat("image has ", json["layers"].size(),
                                                      " layers, at most ", kLayersMax, " work"));
  for (const Json& item : json["layers"].items()) {
    SKIFF_ASSIGN_OR_RETURN(auto layer, parse_descriptor(item, "image layer"));
    out.layers.push_back(std::move(layer));
  }
  return out;
}

base::Result<ParsedConfig> parse_image_config(std::string_view text) {
  SKIFF_ASSIGN_OR_RETURN(const auto json,
                         parse_bounded(text, kConfigBytesMax).with_context("image config"));
  if (!json.is_object()) return invalid_argument("image config: not an object");
  ParsedConfig out;
  const Json& config = json["config"];
  out.architecture = json["architecture"].as_string();
  out.config.user = config["User"].as_string();
  out.config.working_dir = config["WorkingDir"].as_string();
  out.config.stop_signal = config["StopSignal"].as_string();
  out.config.env = strings_of(config["Env"]);
  out.config.entrypoint = strings_of(config["Entrypoint"]);
  out.config.command = strings_of(config["Cmd"]);
  out.diff_ids = strings_of(json["rootfs"]["diff_ids"]);
  if (out.diff_ids.size() > kLayersMax)
    return base::Status(base::Code::too_large, concat("image has ", out.diff_ids.size(),
                                                      " layers, at most ", kLayersMax, " work"));
  for (const auto& id : out.diff_ids)
    if (!is_digest(id))
      return invalid_argument(concat("image config: bad layer digest ", base::quote(id)));
  return out;
}

base::Result<std::vector<DockerArchiveImage>> parse_docker_archive(std::string_view text) {
  SKIFF_ASSIGN_OR_RETURN(const auto json,
                         parse_bounded(text, kManifestBytesMax).with_context("manifest.json"));
  if (!json.is_array()) return invalid_argument("manifest.json: not a list of images");
  std::vector<DockerArchiveImage> out;
  for (const Json& item : json.items()) {
    DockerArchiveImage image;
    image.config_path = item["Config"].as_string();
    image.names = strings_of(item["RepoTags"]);
    image.layer_paths = strings_of(item["Layers"]);
    if (image.config_path.empty()) return invalid_argument("manifest.json: image without a config");
    out.push_back(std::move(image));
  }
  return out;
}

const Descriptor* choose_platform(const std::vector<Descriptor>& manifests,
                                  std::string_view architecture, std::string_view variant) {
  const Descriptor* found = nullptr;
  for (const auto& entry : manifests) {
    if (!entry.os.empty() && entry.os != "linux") continue;
    // Without a platform it is the only image there is, as `skopeo` writes it.
    if (entry.architecture.empty() && manifests.size() == 1) return &entry;
    if (entry.architecture != architecture) continue;
    if (entry.variant == variant) return &entry;
    // An older variant runs on a newer machine, not the other way round.
    bool runs = entry.variant.empty() || variant.empty() || entry.variant < variant;
    if (runs && found == nullptr) found = &entry;
  }
  return found;
}

}  // namespace skiff::runtime
