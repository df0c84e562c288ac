// What reading and writing Kubernetes protobuf share.
#pragma once

#include <skiff/api/schema.h>

#include <cstdint>
#include <string_view>

namespace skiff::api {

constexpr std::string_view kProtobufMagic{"k8s\0", 4};

// The years that nanoseconds since 1970 in 64 bits can tell.
constexpr std::int64_t kTimeSecondsMin = -9'223'372'036, kTimeSecondsMax = 9'223'372'035;

// JSONSchemaProps, which fields of type schema_or_… hold.
const TypeInfo* find_schema_type();

}  // namespace skiff::api
