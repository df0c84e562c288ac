// The agent as a whole: what starts in which order, and how it ends.
#include <skiff/agent/agent.h>
#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>
#include <skiff/sys/files.h>

#include "agent/context.h"
#include "agent/images/image_puller.h"
#include "agent/images/plan_image_gc.h"
#include "agent/limits.h"
#include "agent/node/host_facts.h"
#include "agent/node/node_reporter.h"
#include "agent/pod/config_cache.h"
#include "agent/pod/pod_manager.h"
#include "agent/probes/loop_prober.h"
#include "agent/streams/local_channel.h"
#include "agent/volumes/token_cache.h"

#include <mutex>
#include <set>

namespace skiff::agent {

namespace {

constexpr std::size_t kCidrBytesMax = 256;

// Hands exits of containers from any thread to the loop, as long as the agent is there.
struct ExitRelay {
  std::mutex mutex;
  base::Executor* executor = nullptr;  // under mutex; null once the agent has stopped
  PodManager* pods = nullptr;          // loop only
  LocalChannel* channel = nullptr;     // loop only
};

class AgentImpl final : public Agent {
 public:
  explicit AgentImpl(AgentOptions options)
      : options_(std::move(options)),
        ages_(options_.timers->clock()),
        context_{options_, {}, {}},
        configs_(*options_.client, *options_.executor, *options_.timers),
        tokens_(*options_.client, *options_.timers),
        puller_(context_),
        pods_(context_, hooks_),
        channel_(context_, pods_),
        services_(client::make_informer(*options_.client, *options_.timers,
                                        client::resources::services, {}, {})),
        relay_(std::make_shared<ExitRelay>()) {
    SKIFF_ASSERT(options_.executor && options_.timers && options_.work && options_.client);
    SKIFF_ASSERT(options_.runtime && options_.images && options_.recorder && options_.random);
    if (options_.pulls == nullptr) options_.pulls = options_.work;
    prober_ = make_prober(options_);
    context_.node = {options_.node_name, options_.node_ip, 0, 0};
    context_.dns = {options_.cluster_dns, options_.cluster_domain, {}};
    context_.ages = &ages_;
    context_.configs = &configs_;
    context_.tokens = &tokens_;
    context_.puller = &puller_;
    context_.prober = prober_.get();
    context_.services = services_.get();
    configs_.set_on_change([this](const std::string& uid) { pods_.on_config_change(uid); });
  }

  client::NodeChannel& node_channel() override { return channel_; }
  client::Informer& services() override { return *services_; }
  void set_before_stop(std::function<base::Task<void>(std::string)> hook) override {
    hooks_.before_stop = std::move(hook);
  }
  void set_host_ports_callback(
      std::function<void(std::string, std::vector<net::ServiceRule>)> callback) override {
    hooks_.host_ports = std::move(callback);
  }
  void set_pod_cidr_callback(std::function<void(std::string)> callback) override {
    pod_cidr_callback_ = std::move(callback);
  }
  void set_node_ip(std::string ip) override {
    options_.node_ip = ip;
    context_.node.node_ip = ip;
    if (reporter_ != nullptr) reporter_->set_node_ip(std::move(ip));
    pods_.on_node_address();
  }

  base::Task<base::Status> run(base::CancelToken cancel) override {
    set_exit_callback();
    auto status = co_await adopt();
    if (!status.is_ok()) co_return status;
    auto pods = make_pod_informer();
    auto node = make_node_informer();
    base::TaskScope scope(*options_.executor);
    base::CancelCallback on_cancel(cancel, [&scope] { scope.cancel(); });
    reporter_ = std::make_unique<NodeReporter>(
        context_, host_, [this](std::string cidr) { return use_pod_cidr(std::move(cidr)); });
    hooks_.admit = [this](const codec::Json& pod) {
      return plan_admission({pod, reporter_->node(), pods_.taken()});
    };
    if (network_ == nullptr && options_.make_network)
      reporter_->set_not_ready(
          "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
          "message:the node has no podCIDR yet");
    channel_.start();
    scope.spawn(services_->run(scope.token()));
    scope.spawn(reporter_->run_status(scope.token()));
    if (!options_.master_renews_lease) scope.spawn(reporter_->run_lease(scope.token()));
    scope.spawn(collect_images(scope.token()));
    scope.spawn(base::keep_looking(ages_, *options_.timers, scope.token()));
    scope.spawn(pods->run(scope.token()));
    scope.spawn(node->run(scope.token()));
    bool synced = co_await pods->wait_synced(scope.token());
    if (synced) co_await pods_.remove_orphans(scope.token());
    co_await scope.join();
    on_cancel.reset();
    co_await channel_.stop();
    co_await pods_.stop();
    co_await configs_.stop();
    {
      std::lock_guard lock(relay_->mutex);
      relay_->executor = nullptr;
    }
    options_.runtime->set_exit_callback({});
    co_return base::Status();
  }

 private:
  void set_exit_callback() {
    relay_->executor = options_.executor;
    relay_->pods = &pods_;
    relay_->channel = &channel_;
    options_.runtime->set_exit_callback(
        [relay = relay_](const std::string& uid, const std::string& container_id) {
          std::lock_guard lock(relay->mutex);
          if (relay->executor == nullptr) return;
          relay->executor->post([relay, uid, container_id] {
            {
              std::lock_guard inner(relay->mutex);
              if (relay->executor == nullptr) return;
            }
            relay->pods->on_runtime_event(uid, container_id);
            relay->channel->on_runtime_event();
          });
        });
  }

  std::string cidr_file() const { return options_.data_dir + "/agent/pod_cidr"; }

  base::Task<base::Status> adopt() {
    auto* runtime = options_.runtime;
    std::string file = cidr_file();
    struct Found {
      base::Result<runtime::Runtime::Adopted> adopted = runtime::Runtime::Adopted{};
      std::string cidr;
      HostFacts host;
    };
    auto look = [runtime, file, &options = std::as_const(options_)] {
      Found found;
      found.adopted = runtime->adopt();
      auto cidr = sys::read_file(file, kCidrBytesMax);
      if (cidr) found.cidr = base::trim(*cidr);
      (void)sys::make_folders(options.data_dir);
      found.host = read_host_facts(options);
      return found;
    };
    Found found = co_await loop::run_blocking(*options_.work, std::move(look));
    if (!found.adopted) co_return found.adopted.status();
    host_ = found.host;
    context_.node.memory_bytes = host_.memory_bytes;
    context_.node.allocatable_milli_cpu = host_.cpus * 1000;
    context_.node.allocatable_memory_bytes = allocatable_memory_bytes(host_);
    context_.node.allocatable_disk_bytes = allocatable_disk_bytes(host_);
    std::vector<std::pair<std::string, net::PodAddress>> addresses;
    if (!found.cidr.empty()) {
      auto status = co_await make_network(found.cidr);
      if (!status.is_ok()) co_return status;
    }
    if (network_ != nullptr) {
      auto* network = network_.get();
      auto list = [network] { return network->attached(); };
      addresses = co_await loop::run_blocking(*options_.work, std::move(list));
    }
    base::log_info(
        "adopted what runs on this host",
        {{"pods", found.adopted->pods.size()}, {"containers", found.adopted->containers.size()}});
    pods_.set_adopted(std::move(*found.adopted), std::move(addresses));
    co_return base::Status();
  }

  base::Task<base::Status> make_network(std::string cidr) {
    if (!options_.make_network) co_return base::Status();
    auto make = [this, cidr] { return options_.make_network(cidr); };
    auto network = co_await loop::run_blocking(*options_.work, std::move(make));
    if (!network) co_return network.status();
    network_ = std::move(*network);
    hooks_.network = network_.get();
    cidr_ = cidr;
    if (pod_cidr_callback_) pod_cidr_callback_(cidr);
    co_return base::Status();
  }

  // A podCIDR never changes while pods have addresses from it: the first one counts.
  base::Task<void> use_pod_cidr(std::string cidr) {
    if (network_ == nullptr) {
      auto status = co_await make_network(cidr);
      if (!status.is_ok()) {
        base::log_error("the pod network cannot be used", {{"error", status}});
        reporter_->set_not_ready(
            base::concat("container runtime network not ready: ", status.message()));
        co_return;
      }
      std::string file = cidr_file();
      auto save = [file, cidr] {
        SKIFF_RETURN_IF_ERROR(sys::make_folders(file.substr(0, file.rfind('/'))));
        return sys::write_file_atomic(file, cidr);
      };
      auto saved = co_await loop::run_blocking(*options_.work, std::move(save));
      if (!saved.is_ok()) base::log_warning("podCIDR was not saved", {{"error", saved}});
    } else if (cidr != cidr_ && options_.make_network) {
      base::log_warning("the node's podCIDR differs from the one in use",
                        {{"in use", cidr_}, {"in the API", cidr}});
    }
    reporter_->set_not_ready("");
    pods_.look_again();
  }

  base::Task<void> collect_images(base::CancelToken cancel) {
    for (;;) {
      bool slept = co_await base::sleep(*options_.timers, kImageGcInterval, cancel);
      if (!slept) co_return;
      std::set<std::string> used;
      for (const auto* worker : pods_.all())
        for (const auto& container : worker->record().containers)
          for (const auto* run : {&container.current, &container.previous})
            if (run->has_value()) used.insert((*run)->status.image_id);
      auto collect = [images = options_.images, &options = std::as_const(options_), used,
                      now = context_.now()]() -> base::Status {
        HostFacts host = read_host_facts(options);
        ImageGcInput input{images->list(), used, host.disk_bytes, host.disk_available_bytes, now};
        for (const auto& id : plan_image_gc(input)) {
          SKIFF_RETURN_IF_ERROR(images->remove(id));
          base::log_info("removed an image that nobody uses", {{"image", id}});
        }
        return {};
      };
      auto status = co_await loop::run_blocking(*options_.work, std::move(collect));
      if (!status.is_ok()) base::log_warning("images were not removed", {{"error", status}});
    }
  }

  std::unique_ptr<client::Informer> make_pod_informer() {
    client::ListOptions options;
    options.field_selector = base::concat("spec.nodeName=", options_.node_name);
    auto informer = client::make_informer(*options_.client, *options_.timers,
                                          client::resources::pods, options, {});
    informer->add_handler(
        [this](const auto& before, const auto& after) { pods_.on_pod(before, after); });
    return informer;
  }

  std::unique_ptr<client::Informer> make_node_informer() {
    client::ListOptions options;
    options.field_selector = base::concat("metadata.name=", options_.node_name);
    auto informer = client::make_informer(*options_.client, *options_.timers,
                                          client::resources::nodes, options, {});
    informer->add_handler([this](const auto&, const auto& after) { reporter_->on_node(after); });
    return informer;
  }

  AgentOptions options_;
  base::AgeMeter ages_;
  AgentContext context_;
  PodWorkerHooks hooks_;
  ConfigCache configs_;
  TokenCache tokens_;
  ImagePuller puller_;
  std::unique_ptr<Prober> prober_;
  std::unique_ptr<net::PodNetwork> network_;
  PodManager pods_;
  LocalChannel channel_;
  std::unique_ptr<client::Informer> services_;
  std::unique_ptr<NodeReporter> reporter_;
  std::shared_ptr<ExitRelay> relay_;
  std::function<void(std::string)> pod_cidr_callback_;
  HostFacts host_;
  std::string cidr_;
};

}  // namespace

std::unique_ptr<Agent> make_agent(AgentOptions options) {
  return std::make_unique<AgentImpl>(std::move(options));
}

}  // namespace skiff::agent
