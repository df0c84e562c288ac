// Changes as frames of one watch of skiff-watch-v1.
#pragma once

#include <skiff/api/kind.h>
#include <skiff/client/watch_frames.h>

#include <cstdint>
#include <string>
#include <vector>

#include "apiserver/tunnel/change_deltas.h"
#include "apiserver/watch_filter.h"

namespace skiff::apiserver {

// Remembers which objects the worker has from this watch: those whose last version was sent. That
// version is `previous` of the next change, so nothing else of them is kept. Thread-compatible.
class WatchEncoder {
 public:
  WatchEncoder(const api::ResourceInfo& resource, WatchFilter filter, bool makes_deltas,
               ChangeDeltas& deltas)
      : resource_(resource),
        filter_(std::move(filter)),
        makes_deltas_(makes_deltas),
        deltas_(deltas) {}
  // The data of a frame; empty when the worker does not see the change.
  std::string encode(const watch::ChangeRef& change);

 private:
  std::string encode_whole(const watch::Change& change, const WatchFilter::Seen& seen) const;
  std::string encode_delta(const watch::ChangeRef& change, const WatchFilter::Seen& seen) const;
  bool has(std::uint64_t key) const;
  void set(std::uint64_t key, bool present);

  const api::ResourceInfo& resource_;
  WatchFilter filter_;
  const bool makes_deltas_;
  ChangeDeltas& deltas_;
  std::vector<std::uint64_t> sent_;  // hashes of keys, in order
};

}  // namespace skiff::apiserver
