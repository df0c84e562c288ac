#include "client/event_correlator.h"

#include <skiff/base/strings.h>

#include "client/limits.h"

#include <algorithm>

namespace skiff::client {

namespace {

using codec::Json;

std::string source_and_object(const Json& event) {
  const Json& object = event["involvedObject"];
  std::string key;
  for (std::string_view part :
       {event.at({"source", "component"}).as_string(), event.at({"source", "host"}).as_string(),
        object["kind"].as_string(), object["namespace"].as_string(), object["name"].as_string(),
        object["uid"].as_string(), object["apiVersion"].as_string()}) {
    key += part;
    key += '\n';
  }
  return key;
}

}  // namespace

std::string event_name(std::string_view object_name, base::WallTime now) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string digits;
  for (auto rest = static_cast<std::uint64_t>(now.unix_ns); rest != 0; rest /= 16)
    digits.push_back(kDigits[rest % 16]);
  std::reverse(digits.begin(), digits.end());
  return base::concat(object_name, '.', digits);
}

EventCorrelator::EventCorrelator()
    : similar_(kEventCacheMax), written_(kEventCacheMax), buckets_(kEventCacheMax) {}

bool EventCorrelator::spends_token(const std::string& key, base::MonotonicTime now) {
  Bucket& bucket = buckets_[key];
  if (!bucket.used) {
    bucket.used = true;
    bucket.tokens = kSpamBurst;
  } else {
    double refill = static_cast<double>((now - bucket.filled).count()) /
                    static_cast<double>(base::Duration(kSpamRefill).count());
    bucket.tokens = std::min(static_cast<double>(kSpamBurst), bucket.tokens + refill);
  }
  bucket.filled = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

std::optional<EventWrite> EventCorrelator::correlate(Json event, base::WallTime now,
                                                     base::MonotonicTime monotonic) {
  std::string object_key = source_and_object(event);
  std::string kind_key =
      base::concat(object_key, event["type"].as_string(), '\n', event["reason"].as_string());
  std::string message(event["message"].as_string());
  std::string key = base::concat(
      kind_key, '\n', event.at({"involvedObject", "fieldPath"}).as_string(), '\n', message);

  Similar& similar = similar_[kind_key];
  if (!similar.used || monotonic - similar.last > kSimilarEventsWindow) similar.messages.clear();
  similar.used = true;
  similar.last = monotonic;
  similar.messages.insert(message);
  if (similar.messages.size() >= kSimilarEventsMax) {
    similar.messages.erase(similar.messages.begin());
    event.set("message", base::concat("(combined from similar events): ", message));
    key = kind_key;
  }

  Written& written = written_[key];
  EventWrite write;
  write.patch = written.count > 0;
  if (!write.patch) {
    // Two events of one moment still get two names.
    last_name_ns_ = std::max(last_name_ns_ + 1, now.unix_ns);
    base::WallTime unique{last_name_ns_};
    written.name = event_name(event.at({"involvedObject", "name"}).as_string(), unique);
    written.first_timestamp = event["firstTimestamp"].as_string();
  }
  event["metadata"].set("name", written.name);
  event.set("firstTimestamp", written.first_timestamp);
  event.set("count", ++written.count);
  if (!spends_token(object_key, monotonic)) return std::nullopt;
  write.event = std::move(event);
  return write;
}

}  // namespace skiff::client
