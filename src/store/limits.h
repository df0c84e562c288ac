// Limits of the store.
#pragma once

#include <skiff/base/clock.h>

#include <cstddef>
#include <cstdint>

namespace skiff::store {

// Two small pages hold what one 1 KB object dirties: a log frame and its copy in the database
// together cost 4 KB. Larger pages make every small update dearer.
constexpr int kPageBytes = 2048;
// SQLite's page cache. Objects are served from the hub; the cache only holds the paths to leaves.
constexpr int kCacheKibibytes = 192;
// The log is copied into the database when it has this many frames and nobody waits, or the hard
// number of frames anyway.
constexpr int kCheckpointFramesSoft = 1500;
constexpr int kCheckpointFramesHard = 6000;
constexpr std::int64_t kLogBytesMax = 4 << 20;
// Revisions that are reserved on disk ahead of use; renewed along with a durable commit when half
// is used.
constexpr std::uint64_t kRevisionsReserved = 65536;
// The longest time that an answered relaxed write is in memory only.
constexpr base::Duration kRelaxedDelay = std::chrono::seconds(5);
// Relaxed writes waiting for a disk that does not take them; then they are refused too.
constexpr std::size_t kRelaxedBytesMax = 8 << 20;
// Commits that wait for the writer.
constexpr std::size_t kQueueWritesMax = 4096;
// After a commit that took this long, the next group waits a part of that time, and never longer
// than the most, for those that were answered (store/gathering.h).
constexpr base::Duration kGatherCommitMin = std::chrono::milliseconds(1);
constexpr int kGatherPartOfCommit = 2;
constexpr base::Duration kGatherMax = std::chrono::milliseconds(5);
// A failed database is opened again at most this often.
constexpr base::Duration kReopenInterval = std::chrono::seconds(1);
// Bytes of one key and one record.
constexpr std::size_t kKeyBytesMax = 1024;
constexpr std::size_t kValueBytesMax = 8 << 20;
constexpr std::size_t kWriterStackBytes = 256 * 1024;

static_assert(kCheckpointFramesSoft < kCheckpointFramesHard);
static_assert(std::int64_t{kCheckpointFramesSoft} * kPageBytes < kLogBytesMax);

}  // namespace skiff::store
