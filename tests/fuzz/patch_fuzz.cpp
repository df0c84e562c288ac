// Two lines: an object and a patch. Every kind of patch ends with a value or an error; merging
// twice is merging once, applying twice changes nothing, and the stored form reads back.
#include <skiff/api/kind.h>
#include <skiff/api/object.h>
#include <skiff/api/patch.h>
#include <skiff/api/validation.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

using namespace skiff;
using codec::Json;

namespace {

void check_apply(const api::ResourceInfo& pods, const Json& object, const Json& patch) {
  api::ApplyOptions options;
  options.manager = "fuzz";
  options.api_version = "v1";
  options.force = true;
  auto once = api::server_side_apply(*pods.type, object, patch, options);
  auto* applied = std::get_if<Json>(&once);
  if (applied == nullptr) return;
  auto twice = api::server_side_apply(*pods.type, *applied, patch, options);
  if (!std::holds_alternative<Json>(twice)) std::abort();
  auto thrice = api::server_side_apply(*pods.type, std::get<Json>(twice), patch, options);
  if (!std::holds_alternative<Json>(thrice) || std::get<Json>(thrice) != std::get<Json>(twice))
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  if (line == std::string_view::npos) return 0;
  codec::JsonParseOptions options;
  options.limits.depth_max = 64;
  auto object = codec::parse_json(input.substr(0, line), options);
  auto patch = codec::parse_json(input.substr(line + 1), options);
  if (!object || !patch) return 0;
  static const api::ResourceInfo& pods = *api::find_kind("", "v1", "Pod");

  (void)api::apply_json_patch(*object, *patch);
  (void)api::apply_strategic_merge_patch(*pods.type, *object, *patch);
  const Json merged = api::apply_merge_patch(*object, *patch);
  if (!(api::apply_merge_patch(merged, *patch) == merged)) std::abort();
  Json changed = merged;
  api::track_update(*pods.type, *object, changed, {"fuzz", "", "v1", false, {}});
  if (object->is_object()) check_apply(pods, *object, *patch);
  (void)api::validate_create(pods, *object);
  (void)api::validate_update(pods, "", merged, *object);
  (void)api::warnings_for(pods, *object);
  if (std::as_const(*object)["metadata"].is_object()) {
    api::StoredObject stored(api::StoredObject::encode(*object), 7);
    auto read = stored.parse();
    if (!read || api::resource_version_of(*read) != "7") std::abort();
  }
  return 0;
}
