#include "watch/ring.h"

#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::watch {

namespace {

// What the ring alone keeps alive: the value before. The new value is the index's, or the next
// change's value before.
std::size_t bytes_of(const Change& change) {
  return kChangeOverheadBytes + change.key.size() + change.previous.size();
}

}  // namespace

void Ring::publish(std::vector<ChangeRef> changes, Revision upto) {
  std::lock_guard lock(mutex_);
  newest_ = upto;
  for (auto& change : changes) {
    wake_matching(*change);
    bytes_ += bytes_of(*change);
    changes_.push_back(std::move(change));
  }
  while (!changes_.empty() &&
         (bytes_ > options_.ring_bytes_max || changes_.size() > options_.ring_events_max)) {
    bytes_ -= bytes_of(*changes_.front());
    dropped_upto_ = changes_.front()->revision;
    changes_.pop_front();
  }
}

void Ring::wake_matching(const Change& change) {
  std::string_view key = change.key;
  for (const auto& [length, prefixes] : prefix_lengths_) {
    if (length > key.size()) break;
    auto found = places_.find(key.substr(0, length));
    if (found == places_.end()) continue;
    for (const auto& place : found->second) {
      if (place->unseen != 0) continue;
      place->unseen = change.revision;
      place->notifier.notify();
    }
  }
}

base::Status Ring::check_kept(Revision from) const {
  if (from >= dropped_upto_) return {};
  return base::Status(base::Code::expired, base::concat("revision ", from,
                                                        " is older than the kept changes, which "
                                                        "begin after ",
                                                        dropped_upto_));
}

base::Result<std::shared_ptr<Place>> Ring::subscribe(std::string prefix, Revision from) {
  std::lock_guard lock(mutex_);
  SKIFF_RETURN_IF_ERROR(check_kept(from));
  auto place = std::make_shared<Place>();
  place->prefix = std::move(prefix);
  place->seen = from;
  if (from < newest_) place->unseen = from + 1;
  Places& places = places_[place->prefix];
  if (places.empty()) ++prefix_lengths_[place->prefix.size()];
  places.push_back(place);
  return place;
}

void Ring::unsubscribe(const std::shared_ptr<Place>& place) {
  std::lock_guard lock(mutex_);
  auto found = places_.find(place->prefix);
  SKIFF_ASSERT(found != places_.end());
  Places& places = found->second;
  auto at = std::find(places.begin(), places.end(), place);
  SKIFF_ASSERT(at != places.end());
  *at = std::move(places.back());
  places.pop_back();
  if (!places.empty()) return;
  places_.erase(found);
  auto length = prefix_lengths_.find(place->prefix.size());
  if (--length->second == 0) prefix_lengths_.erase(length);
}

std::size_t Ring::index_after(Revision revision) const {
  auto newer = [](Revision r, const ChangeRef& change) { return r < change->revision; };
  return static_cast<std::size_t>(
      std::upper_bound(changes_.begin(), changes_.end(), revision, newer) - changes_.begin());
}

base::Result<std::optional<Subscription::Batch>> Ring::collect(Place& place, std::size_t limit) {
  Subscription::Batch batch;
  std::unique_lock lock(mutex_);
  while (place.unseen != 0) {
    if (place.unseen <= dropped_upto_)
      return base::Status(
          base::Code::expired,
          base::concat("the watch of ", place.prefix, " fell behind at revision ", place.seen));
    std::size_t begin = index_after(place.unseen - 1);
    std::size_t end = std::min(changes_.size(), begin + kScanSliceEvents);
    std::size_t i = begin;
    for (; i < end && batch.changes.size() < limit; ++i) {
      const ChangeRef& change = changes_[i];
      if (base::starts_with(change->key, place.prefix)) batch.changes.push_back(change);
      place.seen = change->revision;
    }
    if (i == changes_.size()) {
      place.seen = newest_;
      place.unseen = 0;
      break;
    }
    place.unseen = place.seen + 1;
    if (batch.changes.size() == limit) break;
    lock.unlock();
    lock.lock();
  }
  bool nudged = std::exchange(place.nudged, false);
  if (batch.changes.empty() && !nudged) return std::optional<Subscription::Batch>();
  if (place.unseen == 0) place.seen = newest_;
  batch.upto = place.seen;
  return std::optional(std::move(batch));
}

base::Result<Subscription::Batch> Ring::changes_after(std::string_view prefix,
                                                      Revision from) const {
  Subscription::Batch batch;
  std::lock_guard lock(mutex_);
  SKIFF_RETURN_IF_ERROR(check_kept(from));
  for (std::size_t i = index_after(from); i < changes_.size(); ++i) {
    if (base::starts_with(changes_[i]->key, prefix)) batch.changes.push_back(changes_[i]);
  }
  batch.upto = newest_;
  return batch;
}

void Ring::nudge(Place& place) {
  std::lock_guard lock(mutex_);
  place.nudged = true;
  place.notifier.notify();
}

Revision Ring::position(const Place& place) const {
  std::lock_guard lock(mutex_);
  return place.unseen == 0 ? newest_ : place.seen;
}

Revision Ring::oldest() const {
  std::lock_guard lock(mutex_);
  return dropped_upto_;
}

std::size_t Ring::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace skiff::watch
