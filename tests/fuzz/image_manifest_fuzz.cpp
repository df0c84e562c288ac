// What registries and archives say about images: manifests, configs, names, challenges, errors.
#include <skiff/base/assert.h>
#include <skiff/runtime/image.h>

#include "runtime/image/manifest.h"
#include "runtime/image/registries.h"
#include "runtime/image/registry_client.h"
#include "runtime/image/store.h"
#include "runtime/limits.h"
#include "runtime/records.h"

#include <cstddef>
#include <cstdint>

using namespace skiff::runtime;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto manifest = parse_manifest(text); manifest.is_ok()) {
    SKIFF_ASSERT(manifest->layers.size() <= kLayersMax);
    for (const auto& layer : manifest->layers) SKIFF_ASSERT(is_digest(layer.digest));
    choose_platform(manifest->manifests, "arm", "v7");
  }
  if (auto config = parse_image_config(text); config.is_ok())
    for (const auto& id : config->diff_ids) SKIFF_ASSERT(is_digest(id));
  (void)parse_docker_archive(text);
  if (auto record = parse_image_record(text); record.is_ok()) {
    auto again = parse_image_record(write_image_record(*record));
    SKIFF_ASSERT(again.is_ok() && again->image.id == record->image.id);
  }
  if (auto reference = parse_image_reference(text); reference.is_ok()) {
    auto again = parse_image_reference(reference->to_string());
    SKIFF_ASSERT(again.is_ok() && again->to_string() == reference->to_string());
  }
  (void)parse_challenge(text);
  (void)registry_message(text);
  (void)parse_pod_record(text);
  (void)parse_container_record(text);
  (void)parse_exit_record(text);
  return 0;
}
