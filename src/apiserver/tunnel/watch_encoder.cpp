#include "apiserver/tunnel/watch_encoder.h"

#include <skiff/base/strings.h>
#include <skiff/client/byte_delta.h>

#include "apiserver/encode.h"
#include "apiserver/limits.h"

#include <algorithm>
#include <functional>

namespace skiff::apiserver {

using client::WatchEvent;

namespace {

WatchEvent::Type type_of(std::string_view name) {
  if (name == "ADDED") return WatchEvent::Type::added;
  return name == "DELETED" ? WatchEvent::Type::removed : WatchEvent::Type::modified;
}

std::string object_key(const api::StoredObject& object) {
  auto name_space = object.namespace_name();
  return name_space.empty() ? std::string(object.name())
                            : base::concat(name_space, "/", object.name());
}

// Kinds whose version shown is not the one stored are converted, never compared.
bool is_sent_as_stored(const api::ResourceInfo& resource) {
  return resource.group == resource.storage_group;
}

}  // namespace

bool WatchEncoder::has(std::uint64_t key) const {
  return std::binary_search(sent_.begin(), sent_.end(), key);
}

void WatchEncoder::set(std::uint64_t key, bool present) {
  auto at = std::lower_bound(sent_.begin(), sent_.end(), key);
  const bool found = at != sent_.end() && *at == key;
  if (found && !present) sent_.erase(at);
  if (found || !present) return;
  if (sent_.size() < kSentObjectsMax) {
    sent_.insert(at, key);
  } else {
    sent_.assign(1, key);
  }
}

std::string WatchEncoder::encode_whole(const watch::Change& change,
                                       const WatchFilter::Seen& seen) const {
  base::SharedBytes bytes = seen.object.stored();
  if (!is_sent_as_stored(resource_)) {
    auto tree = shown_tree(resource_, seen.object);
    if (tree["metadata"].is_object()) bytes = api::StoredObject::encode(tree);
  }
  client::EventFrame frame;
  frame.type = type_of(seen.type);
  frame.revision = change.revision;
  frame.object = bytes.view();
  return client::encode_watch_frame(frame);
}

std::string WatchEncoder::encode_delta(const watch::ChangeRef& change,
                                       const WatchFilter::Seen& seen) const {
  const auto& object = seen.object.stored();
  client::DeltaFrame frame;
  frame.type = type_of(seen.type);
  frame.revision = change->revision;
  frame.size = static_cast<std::uint32_t>(object.size());
  const auto key = object_key(seen.object);
  frame.key = key;
  ChangeDelta delta;
  if (object.same_buffer(change->value)) {
    delta = deltas_.get(change);
  } else {
    // It leaves the selection as it was.
    delta.steps = base::SharedBytes(client::make_delta(change->previous.view(), object.view()));
    delta.checksum = client::delta_checksum(object.view());
  }
  frame.checksum = delta.checksum;
  frame.steps = delta.steps.view();
  return client::encode_watch_frame(frame);
}

std::string WatchEncoder::encode(const watch::ChangeRef& change) {
  auto seen = filter_.look_at(*change);
  if (!seen) return {};
  if (!makes_deltas_ || !is_sent_as_stored(resource_)) return encode_whole(*change, *seen);
  const std::uint64_t key = std::hash<std::string>()(change->key);
  const bool known = seen->type != "ADDED" && has(key) && !change->previous.empty();
  set(key, seen->type != "DELETED");
  if (known) {
    auto frame = encode_delta(change, *seen);
    if (frame.size() < seen->object.stored().size()) return frame;
  }
  return encode_whole(*change, *seen);
}

}  // namespace skiff::apiserver
