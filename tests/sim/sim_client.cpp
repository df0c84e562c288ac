#include "sim/sim_client.h"

#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::sim {

using base::Status;

class SimClient::Stream final : public client::WatchStream {
 public:
  Stream(SimClient& owner, std::unique_ptr<client::WatchStream> inner, base::CancelSource cancel,
         std::string prefix, std::string node, std::uint64_t from)
      : owner_(owner),
        inner_(std::move(inner)),
        cancel_(std::move(cancel)),
        prefix_(std::move(prefix)),
        node_(std::move(node)),
        seen_(from) {
    owner_.streams_.insert(this);
    ++owner_.wire_.in_use;
  }
  ~Stream() override {
    owner_.streams_.erase(this);
    drop();
  }

  base::Task<base::Result<std::vector<client::WatchEvent>>> next() override {
    if (lost_ != base::Code::ok) {
      drop();
      co_return Status(lost_, "the watch is lost");
    }
    reading_ = true;
    auto reading = inner_->next();
    auto batch = co_await std::move(reading);
    reading_ = false;
    if (lost_ != base::Code::ok) {
      drop();
      co_return Status(lost_, "the watch is lost");
    }
    if (batch.is_ok()) check(*batch);
    co_return batch;
  }

  void lose(base::Code code) {
    if (lost_ == base::Code::ok) lost_ = code;
    cancel_.cancel();
    if (!reading_) drop();
  }

 private:
  void drop() {
    if (!inner_) return;
    inner_.reset();
    --owner_.wire_.in_use;
  }

  // Every change of the resource, once, in order: against what the store published.
  void check(const std::vector<client::WatchEvent>& batch) {
    for (const client::WatchEvent& event : batch) {
      ++owner_.wire_.watched;
      if (event.type == client::WatchEvent::Type::bookmark) continue;
      if (event.revision <= seen_) {
        owner_.wire_.violation = base::concat("a watch of ", prefix_, " repeats revision ",
                                              event.revision, " after ", seen_);
        return;
      }
      if (!prefix_.empty() && missed_before(event.revision)) return;
      seen_ = event.revision;
      if (!node_.empty()) owner_.show_pod(node_, event);
    }
  }
  bool missed_before(std::uint64_t revision) {
    const auto& log = owner_.wire_.store.published();
    auto it = std::upper_bound(log.begin(), log.end(), seen_,
                               [](std::uint64_t r, const Published& p) { return r < p.revision; });
    for (; it != log.end() && it->revision < revision; ++it) {
      if (!base::starts_with(it->key, prefix_)) continue;
      if (!node_.empty() && it->node != node_) continue;
      owner_.wire_.violation =
          base::concat("a watch of ", prefix_, " missed revision ", it->revision, " of ", it->key);
      return true;
    }
    return false;
  }

  SimClient& owner_;
  std::unique_ptr<client::WatchStream> inner_;
  base::CancelSource cancel_;
  const std::string prefix_;  // empty where a selector hides changes
  const std::string node_;    // of a watch of this node's pods
  std::uint64_t seen_;
  bool reading_ = false;
  base::Code lost_ = base::Code::ok;
};

namespace {

std::string key_of(const api::StoredObject& object) {
  return base::concat(object.namespace_name(), '/', object.name());
}

// Of who lists or watches the pods of one node; else empty.
std::string node_of(client::Resource resource, const client::ListOptions& options) {
  constexpr std::string_view kOfNode = "spec.nodeName=";
  if (resource.resource != "pods" || !base::starts_with(options.field_selector, kOfNode)) return {};
  return options.field_selector.substr(kOfNode.size());
}

}  // namespace

void SimClient::check_node_of(const std::string& node, const api::StoredObject& pod) {
  auto bound = api::scan_string(pod.text(), {"spec", "nodeName"});
  if (bound.value_or("") != node && wire_.violation.empty())
    wire_.violation =
        base::concat(node, " was shown the pod ", pod.name(), " of ", bound.value_or(""));
}

void SimClient::show_pods(const std::string& node, const client::ObjectList& list) {
  shown_pods_.clear();
  for (const auto& pod : list.items) {
    check_node_of(node, pod);
    shown_pods_.emplace(key_of(pod), pod);
  }
  has_shown_pods_ = true;
}

void SimClient::show_pod(const std::string& node, const client::WatchEvent& event) {
  check_node_of(node, event.object);
  if (event.type == client::WatchEvent::Type::removed)
    shown_pods_.erase(key_of(event.object));
  else
    shown_pods_.insert_or_assign(key_of(event.object), event.object);
}

void SimClient::lose_watches(base::Code code) {
  std::vector<Stream*> streams(streams_.begin(), streams_.end());
  for (Stream* stream : streams)
    if (streams_.count(stream) != 0) stream->lose(code);
}

void SimClient::disconnect() {
  down_ = true;
  lose_watches(base::Code::unavailable);
}

void SimClient::connect(std::unique_ptr<client::Client> inner) {
  owned_ = std::move(inner);
  inner_ = owned_.get();
  down_ = inner_ == nullptr;
}

void SimClient::connect(client::Client& inner) {
  inner_ = &inner;
  down_ = false;
  shown_pods_.clear();
  has_shown_pods_ = false;
}

void SimClient::set_cut(bool cut) {
  cut_ = cut;
  if (cut) lose_watches(base::Code::unavailable);
}

Status SimClient::admit() {
  ++wire_.calls;
  if (down_ || cut_) return base::unavailable("connection refused");
  if (happens(wire_.random, wire_.faults.call_fails)) {
    ++wire_.lost;
    return base::unavailable("connection reset");
  }
  return Status::ok();
}

template <class T>
base::Task<T> SimClient::carry(base::Task<T> call) {
  ++wire_.in_use;
  T answer = co_await std::move(call);
  --wire_.in_use;
  if (happens(wire_.random, wire_.faults.answer_lost)) {
    ++wire_.lost;
    co_return base::unavailable("connection reset before the answer");
  }
  co_return answer;
}

base::Task<client::Client::ObjectResult> SimClient::get(client::Resource resource,
                                                        std::string namespace_name,
                                                        std::string name) {
  SKIFF_CO_RETURN_IF_ERROR(admit());
  auto call = carry(inner_->get(resource, std::move(namespace_name), std::move(name)));
  co_return co_await std::move(call);
}

base::Task<base::Result<client::ObjectList>> SimClient::list(client::Resource resource,
                                                             client::ListOptions options) {
  SKIFF_CO_RETURN_IF_ERROR(admit());
  const std::string node = node_of(resource, options);
  auto call = carry(inner_->list(resource, std::move(options)));
  auto listed = co_await std::move(call);
  if (listed.is_ok() && !node.empty()) show_pods(node, *listed);
  co_return listed;
}

base::Task<base::Result<std::unique_ptr<client::WatchStream>>> SimClient::watch(
    client::Resource resource, client::ListOptions options, std::uint64_t revision,
    base::CancelToken cancel) {
  SKIFF_CO_RETURN_IF_ERROR(admit());
  std::string prefix;
  if (options.label_selector.empty() && options.field_selector.empty() &&
      options.namespace_name.empty() && resource.resource != "events")
    prefix = base::concat('/', resource.group.empty() ? "core" : resource.group, '/',
                          resource.resource, '/');
  std::string node = node_of(resource, options);
  if (!node.empty()) prefix = kPodsPrefix;
  base::CancelSource source = base::CancelSource::child_of(cancel);
  ++wire_.in_use;
  auto opening = inner_->watch(resource, std::move(options), revision, source.token());
  auto opened = co_await std::move(opening);
  --wire_.in_use;
  if (!opened.is_ok()) co_return opened.status();
  std::unique_ptr<client::WatchStream> stream = std::make_unique<Stream>(
      *this, std::move(*opened), std::move(source), std::move(prefix), std::move(node), revision);
  co_return stream;
}

base::Task<client::Client::ObjectResult> SimClient::create(client::Resource resource,
                                                           std::string namespace_name,
                                                           codec::Json object,
                                                           std::string subresource,
                                                           std::string name) {
  SKIFF_CO_RETURN_IF_ERROR(admit());
  auto call = carry(inner_->create(resource, std::move(namespace_name), std::move(object),
                                   std::move(subresource), std::move(name)));
  co_return co_await std::move(call);
}

base::Task<client::Client::ObjectResult> SimClient::update(client::Resource resource,
                                                           codec::Json object,
                                                           std::string subresource) {
  SKIFF_CO_RETURN_IF_ERROR(admit());
  auto call = carry(inner_->update(resource, std::move(object), std::move(subresource)));
  co_return co_await std::move(call);
}

base::Task<client::Client::ObjectResult> SimClient::patch(client::Resource resource,
                                                          std::string namespace_name,
                                                          std::string name, client::PatchType type,
                                                          codec::Json patch,
                                                          std::string subresource) {
  SKIFF_CO_RETURN_IF_ERROR(admit());
  auto call = carry(inner_->patch(resource, std::move(namespace_name), std::move(name), type,
                                  std::move(patch), std::move(subresource)));
  co_return co_await std::move(call);
}

base::Task<Status> SimClient::remove(client::Resource resource, std::string namespace_name,
                                     std::string name, client::DeleteOptions options) {
  SKIFF_CO_RETURN_IF_ERROR(admit());
  auto call = carry(
      inner_->remove(resource, std::move(namespace_name), std::move(name), std::move(options)));
  co_return co_await std::move(call);
}

}  // namespace skiff::sim
