// Every limit of the module.
#pragma once

#include <cstddef>

namespace skiff::api {

// Stored text may be larger than a request: escapes and managedFields are added to it.
inline constexpr std::size_t kStoredBytesMax = 32u << 20;
inline constexpr std::size_t kStoredDepthMax = 640;
inline constexpr std::size_t kStoredValuesMax = 4'000'000;
static_assert(kStoredBytesMax > (3u << 20), "what a request may send must be readable again");

// Unknown fields that are named for one object.
inline constexpr std::size_t kUnknownFieldsMax = 100;
// What OpenAPI documents are sent in.
inline constexpr std::size_t kOpenApiPieceBytes = 16u << 10;
// Nested messages of a protobuf body.
inline constexpr std::size_t kProtobufDepthMax = 128;

// Limits that upstream sets for every object.
inline constexpr std::size_t kAnnotationsBytesMax = 256u << 10;
inline constexpr std::size_t kManagerBytesMax = 128;
inline constexpr std::size_t kSubresourceBytesMax = 256;

// The data of one Secret or ConfigMap.
inline constexpr std::size_t kSecretBytesMax = 1u << 20;

// Operations of one JSON patch.
inline constexpr std::size_t kJsonPatchOperationsMax = 10'000;
// What the copy operations of one JSON patch may add together.
inline constexpr std::size_t kJsonPatchCopyBytesMax = 3u << 20;
// Nesting of patches and of fieldsV1.
inline constexpr std::size_t kPatchDepthMax = 512;
inline constexpr std::size_t kFieldSetDepthMax = 512;
// Update managers of one object; the oldest are merged beyond.
inline constexpr std::size_t kUpdateManagersMax = 10;

}  // namespace skiff::api
