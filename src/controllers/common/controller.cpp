#include "controllers/common/controller.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include "controllers/common/objects.h"

namespace skiff::controllers {

JsonPtr ParsedObjects::parse(const api::StoredObject& object) {
  static const JsonPtr kNull = std::make_shared<const Json>();
  if (object.empty()) return kNull;
  for (const Slot& slot : slots_)
    if (slot.tree && slot.object.revision() == object.revision() &&
        slot.object.stored().same_buffer(object.stored()))
      return slot.tree;
  auto tree = object.parse();
  if (!tree.is_ok()) {
    base::log_error("an object of the cluster is damaged", {{"error", tree.status()}});
    return kNull;
  }
  Slot& slot = slots_[next_];
  next_ = (next_ + 1) % slots_.size();
  slot.object = object;
  slot.tree = std::make_shared<const Json>(std::move(*tree));
  return slot.tree;
}

SummaryPtr ParsedObjects::summary(const api::StoredObject& object) {
  static const SummaryPtr kEmpty = std::make_shared<const api::ObjectSummary>();
  if (object.empty()) return kEmpty;
  for (const SummarySlot& slot : summaries_)
    if (slot.summary && slot.stored.same_buffer(object.stored())) return slot.summary;
  SummarySlot& slot = summaries_[next_summary_];
  next_summary_ = (next_summary_ + 1) % summaries_.size();
  slot.stored = object.stored();
  slot.summary = std::make_shared<const api::ObjectSummary>(api::summarize(object.text()));
  return slot.summary;
}

client::Informer& InformerSet::of(client::Resource resource) {
  std::string key = base::concat(resource.group, '/', resource.resource);
  auto& informer = informers_[key];
  if (informer) return *informer;
  client::InformerIndex by_controller;
  by_controller.name = "controller";
  by_controller.values = [this](const api::StoredObject& object) {
    SummaryPtr summary = parsed_.summary(object);
    std::vector<std::string> values;
    for (const Json& owner : summary->owners.items())
      if (owner["controller"].as_bool()) values.emplace_back(owner["uid"].as_string());
    if (values.empty()) values.push_back(base::concat("orphans/", summary->namespace_name));
    return values;
  };
  std::vector<client::InformerIndex> indexes;
  bool is_pods = resource.resource == client::resources::pods.resource;
  if (is_pods || resource.resource == client::resources::replica_sets.resource)
    indexes.push_back(std::move(by_controller));
  if (is_pods) {
    client::InformerIndex by_node;
    by_node.name = "node";
    by_node.values = [this](const api::StoredObject& object) {
      return std::vector<std::string>{parsed_.summary(object)->node_name};
    };
    indexes.push_back(std::move(by_node));
  }
  client::ListOptions options;
  informer = client::make_informer(client_, timers_, resource, options, std::move(indexes));
  return *informer;
}

base::Task<void> InformerSet::run(base::Executor& executor, base::CancelToken cancel) {
  base::TaskScope scope(executor);
  for (auto& [key, informer] : informers_) scope.spawn(informer->run(cancel));
  co_await scope.join();
}

JsonPtr Context::find(client::Informer& informer, std::string_view key) const {
  api::StoredObject object = informer.get(key);
  if (object.empty()) return nullptr;
  return parsed.parse(object);
}

std::vector<JsonPtr> Context::parse_all(const std::vector<api::StoredObject>& objects) const {
  std::vector<JsonPtr> trees;
  trees.reserve(objects.size());
  for (const auto& object : objects) {
    auto tree = object.parse();
    if (tree.is_ok()) trees.push_back(std::make_shared<const Json>(std::move(*tree)));
  }
  return trees;
}

KeyedController::KeyedController(Context& context)
    : context_(context),
      queue_(client::make_work_queue(context.timers)),
      permits_(kConcurrentSyncsMax) {}

client::Informer& KeyedController::needs(client::Resource resource) {
  client::Informer& informer = context_.informers.of(resource);
  needed_.push_back(&informer);
  return informer;
}

void KeyedController::watch(client::Resource resource, client::Informer::Handler handler) {
  needs(resource).add_handler(std::move(handler));
}

void KeyedController::enqueue_on_change(client::Resource resource) {
  watch(resource, [this](const api::StoredObject& before, const api::StoredObject& after) {
    const api::StoredObject& object = after.empty() ? before : after;
    std::string_view namespace_name = object.namespace_name();
    if (namespace_name.empty())
      queue_->add(std::string(object.name()));
    else
      queue_->add(base::concat(namespace_name, '/', object.name()));
  });
}

base::Task<void> KeyedController::run(base::CancelToken cancel) {
  cancel_ = cancel;
  for (client::Informer* informer : needed_) {
    bool synced = co_await informer->wait_synced(cancel);
    if (!synced) co_return;
  }
  started();
  base::TaskScope scope(context_.executor);
  for (;;) {
    auto taking = queue_->take(cancel);
    auto key = co_await std::move(taking);
    if (!key) break;
    co_await permits_.acquire();
    scope.spawn(process(std::move(*key)));
  }
  co_await scope.join();
}

base::Task<void> KeyedController::process(std::string key) {
  auto syncing = sync(key);
  base::Status status = co_await std::move(syncing);
  if (status.is_ok()) {
    queue_->forget(key);
  } else {
    base::log_debug("sync failed", {{"controller", name()}, {"key", key}, {"error", status}});
    queue_->add_rate_limited(key);
  }
  queue_->done(key);
  permits_.release();
}

ObjectName split_key(std::string_view key) {
  std::size_t slash = key.find('/');
  ObjectName result;
  if (slash == std::string_view::npos) {
    result.name = key;
  } else {
    result.namespace_name = key.substr(0, slash);
    result.name = key.substr(slash + 1);
  }
  return result;
}

}  // namespace skiff::controllers
