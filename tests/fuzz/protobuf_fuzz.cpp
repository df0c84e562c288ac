// A body that is accepted must decode, take its defaults, and survive the way back.
#include <skiff/api/defaults.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace skiff;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  auto object = api::decode_protobuf(body);
  if (!object || !object->is_object()) return 0;
  const api::ApiVersion version = api::split_api_version((*object)["apiVersion"].as_string());
  const api::TypeInfo* type =
      api::find_type(version.group, version.version, (*object)["kind"].as_string());
  if (type == nullptr) return 0;  // an envelope that holds JSON
  std::vector<std::string> unknown;
  if (!api::decode_object(*type, *object, &unknown)) return 0;
  if (!object->contains("kind")) return 0;  // WatchEvent has none of its own
  codec::Json defaulted = *object;
  api::apply_defaults(*type, defaulted);
  auto bytes = api::encode_protobuf(*type, *object);
  if (!bytes) std::abort();
  auto again = api::decode_protobuf(*bytes);
  if (!again) std::abort();
  return 0;
}
