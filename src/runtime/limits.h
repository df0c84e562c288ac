// Limits of module runtime.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace skiff::runtime {

// Images.
inline constexpr std::size_t kManifestBytesMax = 4u << 20;  // as containerd and registries
inline constexpr std::size_t kConfigBytesMax = 8u << 20;
inline constexpr std::size_t kImageRecordBytesMax = 16u << 20;
inline constexpr std::size_t kLayersMax = 127;  // what one page of overlay options holds
inline constexpr std::size_t kManifestsInIndexMax = 1000;
inline constexpr int kIndexDepthMax = 4;
inline constexpr std::size_t kReferenceBytesMax = 512;
inline constexpr std::size_t kRepositoryBytesMax = 255;
inline constexpr std::size_t kTagBytesMax = 128;
inline constexpr std::uint64_t kLayerBytesMax = 64ull << 30;  // unpacked
inline constexpr std::uint64_t kLayerEntriesMax = 2'000'000;
inline constexpr std::size_t kEntryPathBytesMax = 4096;
inline constexpr std::size_t kXattrBytesMax = 64u << 10;
inline constexpr std::size_t kArchiveBlockBytes = 64u << 10;
inline constexpr int kTreeDepthMax = 64;  // of a copied image; the stack has 256 KB
inline constexpr std::ptrdiff_t kEntryDepthMax = 256;
inline constexpr std::size_t kLayerNameHexDigits = 26;  // 104 bits of the digest
static_assert(kLayersMax * (2 + kLayerNameHexDigits + 1) < 4000, "lowerdir fits one page");

// Registries.
inline constexpr std::size_t kPemBytesMax = 1u << 20;
inline constexpr std::size_t kRegistriesFileBytesMax = 1u << 20;
inline constexpr std::size_t kChallengeBytesMax = 8u << 10;
inline constexpr std::size_t kTokenBytesMax = 256u << 10;
inline constexpr std::size_t kRegistryErrorBytesMax = 64u << 10;
inline constexpr std::size_t kRegistryMessageBytesMax = 300;
inline constexpr int kRegistryTimeoutMs = 30'000;
inline constexpr int kRedirectsMax = 5;
inline constexpr int kBlobTriesMax = 5;
inline constexpr std::chrono::hours kPartialBlobAge{72};

// Pods and containers.
inline constexpr std::size_t kIdBytesMax = 64;
inline constexpr std::size_t kRuntimeDirBytesMax = 48;  // socket addresses have 107 bytes
inline constexpr std::size_t kRecordBytesMax = 64u << 10;
inline constexpr std::size_t kSpecBytesMax = 4u << 20;
inline constexpr std::size_t kAccountFileBytesMax = 1u << 20;  // passwd, group
// Of the program itself, unpacked.
inline constexpr std::size_t kShimBytesMax = 4u << 20;
inline constexpr int kShimStartMs = 10'000;
inline constexpr int kShimRequestMs = 5'000;
inline constexpr int kOciRuntimeMs = 120'000;
inline constexpr int kShimEndMs = 5'000;
inline constexpr std::uint64_t kCpuSharesMin = 2;  // the kernel's
inline constexpr int kKillMs = 10'000;
inline constexpr int kPollMs = 5;
inline constexpr int kListenBacklog = 16;
inline constexpr int kWatchEventsMax = 16;
inline constexpr std::size_t kDevicesMax = 4096;

}  // namespace skiff::runtime
