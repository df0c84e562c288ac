// Pods in memory, with the changes that a hub would remember.
#pragma once

#include <skiff/auth/nodes.h>
#include <skiff/base/strings.h>
#include <skiff/codec/json.h>

#include <map>
#include <string>
#include <vector>

namespace skiff::test {

class FakePods final : public auth::PodSource {
 public:
  // `spec` is the JSON text of further members of the spec.
  void put(const std::string& key, const std::string& node, const std::string& spec = {},
           const std::string& uid = "u", const std::string& annotations = "{}") {
    const auto slash = key.find('/');
    std::string text = R"({"metadata":{"name":")" + key.substr(slash + 1) + R"(","namespace":")" +
                       key.substr(0, slash) + R"(","uid":")" + uid + R"(","annotations":)" +
                       annotations + R"(},"spec":{"nodeName":")" + node + "\"" +
                       (spec.empty() ? "" : "," + spec) + "}}";
    auto tree = codec::parse_json(text);
    SKIFF_ASSERT(tree.is_ok());
    record(key, api::StoredObject(api::StoredObject::encode(*tree), version_ + 1));
  }
  void remove(const std::string& key) { record(key, {}); }
  // As a ring that has dropped what it had.
  void forget() { kept_after_ = version_; }

  std::uint64_t version() const override { return version_; }
  std::uint64_t scan(Visit visit) const override {
    ++scans;
    for (const auto& [key, pod] : pods_) visit(key, pod);
    return version_;
  }
  std::optional<std::uint64_t> changes(std::uint64_t since, Visit visit) const override {
    if (since < kept_after_) return std::nullopt;
    for (const auto& change : log_) {
      if (change.version > since) visit(change.key, change.pod);
    }
    return version_;
  }
  mutable int scans = 0;

 private:
  struct Change {
    std::uint64_t version;
    std::string key;
    api::StoredObject pod;
  };
  void record(const std::string& key, api::StoredObject pod) {
    log_.push_back({++version_, key, pod});
    if (pod.empty()) {
      pods_.erase(key);
    } else {
      pods_[key] = std::move(pod);
    }
  }
  std::map<std::string, api::StoredObject> pods_;
  std::vector<Change> log_;
  std::uint64_t version_ = 0, kept_after_ = 0;
};

inline std::string secret_volume(const std::string& secret) {
  return R"("volumes":[{"name":"v","secret":{"secretName":")" + secret + "\"}}]";
}

}  // namespace skiff::test
