#include <skiff/net/pod_network.h>

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>
#include <skiff/sys/files.h>

#include "net/address_pool.h"
#include "net/limits.h"
#include "net/netlink.h"

#include <fcntl.h>

#include <cerrno>
#include <mutex>

namespace skiff::net {

namespace {

constexpr const char* kPodInterface = "eth0";
// Every pod's gateway is this address on its own link; the permanent neighbour entry answers for it
// so that no ARP is ever needed and no pod can claim it.
constexpr const char* kGateway = "169.254.1.1";
constexpr const char* kHostMac = "ee:ee:ee:ee:ee:ee";

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ull;
  for (unsigned char c : text) hash = (hash ^ c) * 1099511628211ull;
  return hash;
}

std::string hex(std::uint64_t value, int digits) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (int i = digits - 1; i >= 0; --i) text += kHex[(value >> (4 * i)) & 15];
  return text;
}

// Locally administered and unicast, the same for one pod every time.
std::string pod_mac(const std::string& pod_uid) {
  std::uint64_t hash = fnv1a(pod_uid);
  std::string mac = "0a";
  for (int byte = 0; byte < 5; ++byte) mac += ":" + hex(hash >> (8 * byte), 2);
  return mac;
}

class RoutedPodNetwork final : public PodNetwork {
 public:
  RoutedPodNetwork(PodNetworkOptions options, AddressPool pool)
      : options_(std::move(options)), pool_(std::move(pool)) {}

  base::Result<PodAddress> attach(const std::string& pod_uid,
                                  const std::string& network_namespace_path) override {
    PodAddress address;
    bool is_new = false;
    {
      std::lock_guard lock(mutex_);
      is_new = pool_.allocations().count(pod_uid) == 0;
      SKIFF_ASSIGN_OR_RETURN(address, pool_.acquire(pod_uid, interface_name(pod_uid)));
    }
    auto connected = connect(address, pod_mac(pod_uid), network_namespace_path);
    if (connected) return address;
    // What is half done goes, so that the next try begins clean.
    if (is_new) {
      if (auto undone = detach(pod_uid); !undone)
        base::log_warning("pod link left behind", {{"pod", pod_uid}, {"error", undone}});
    }
    return connected.with_context("pod network");
  }

  base::Status detach(const std::string& pod_uid) override {
    SKIFF_ASSIGN_OR_RETURN(RouteSocket host, RouteSocket::open());
    SKIFF_RETURN_IF_ERROR(host.delete_link(interface_name(pod_uid)));
    std::lock_guard lock(mutex_);
    return pool_.release(pod_uid);
  }

  std::vector<std::pair<std::string, PodAddress>> attached() override {
    std::lock_guard lock(mutex_);
    return {pool_.allocations().begin(), pool_.allocations().end()};
  }

 private:
  std::string interface_name(const std::string& pod_uid) const {
    constexpr int kDigits = 10;
    std::string prefix = options_.link_prefix.substr(0, kInterfaceNameBytesMax - kDigits);
    return prefix + hex(fnv1a(pod_uid), kDigits);
  }

  base::Status connect(const PodAddress& address, const std::string& mac,
                       const std::string& network_namespace_path) {
    SKIFF_ASSIGN_OR_RETURN(RouteSocket host, RouteSocket::open());
    base::UniqueFd pod_namespace(::open(network_namespace_path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!pod_namespace)
      return base::errno_status(errno, base::concat("open ", network_namespace_path));
    auto made =
        host.add_veth(address.interface_name, kHostMac, kPodInterface, mac, pod_namespace.get());
    if (!made && made.code() != base::Code::already_exists) return made;
    SKIFF_RETURN_IF_ERROR(configure_pod(address, network_namespace_path));
    if (options_.routes_loopback) SKIFF_RETURN_IF_ERROR(route_loopback(address.interface_name));
    SKIFF_RETURN_IF_ERROR(host.set_up(address.interface_name));
    SKIFF_ASSIGN_OR_RETURN(int link, host.link_index(address.interface_name));
    SKIFF_RETURN_IF_ERROR(host.add_permanent_neighbour(link, address.ipv4, mac));
    return host.add_route(link, address.ipv4, 32, {});
  }

  static base::Status route_loopback(const std::string& interface) {
    return sys::write_control_file(
        base::concat("/proc/sys/net/ipv4/conf/", interface, "/route_localnet"), "1");
  }

  static base::Status configure_pod(const PodAddress& address, const std::string& path) {
    SKIFF_ASSIGN_OR_RETURN(RouteSocket pod, RouteSocket::open_in(path));
    SKIFF_RETURN_IF_ERROR(pod.set_up("lo"));
    SKIFF_ASSIGN_OR_RETURN(int link, pod.link_index(kPodInterface));
    SKIFF_RETURN_IF_ERROR(pod.add_address(link, address.ipv4, 32));
    SKIFF_RETURN_IF_ERROR(pod.set_up(kPodInterface));
    SKIFF_RETURN_IF_ERROR(pod.add_permanent_neighbour(link, kGateway, kHostMac));
    SKIFF_RETURN_IF_ERROR(pod.add_route(link, kGateway, 32, {}));
    return pod.add_route(link, "0.0.0.0", 0, kGateway);
  }

  const PodNetworkOptions options_;
  std::mutex mutex_;
  AddressPool pool_;  // under mutex_
};

}  // namespace

base::Status prepare_host(const HostNetworkOptions& options) {
  SKIFF_ASSIGN_OR_RETURN(Ipv4Network services, parse_ipv4_network(options.service_cidr));
  SKIFF_ASSIGN_OR_RETURN(RouteSocket host, RouteSocket::open());
  SKIFF_ASSIGN_OR_RETURN(int loopback, host.link_index("lo"));
  SKIFF_RETURN_IF_ERROR(host.add_route(loopback, format_ipv4(services.address),
                                       services.prefix_bits, {}, options.node_ip));
  if (options.cluster_dns.empty()) return base::Status::ok();
  return host.add_address(loopback, options.cluster_dns, 32);
}

base::Status release_host(const HostNetworkOptions& options) {
  SKIFF_ASSIGN_OR_RETURN(Ipv4Network services, parse_ipv4_network(options.service_cidr));
  SKIFF_ASSIGN_OR_RETURN(RouteSocket host, RouteSocket::open());
  SKIFF_ASSIGN_OR_RETURN(int loopback, host.link_index("lo"));
  SKIFF_RETURN_IF_ERROR(
      host.delete_route(loopback, format_ipv4(services.address), services.prefix_bits));
  if (options.cluster_dns.empty()) return base::Status::ok();
  return host.delete_address(loopback, options.cluster_dns, 32);
}

base::Result<std::unique_ptr<PodNetwork>> make_pod_network(const PodNetworkOptions& options) {
  SKIFF_ASSIGN_OR_RETURN(Ipv4Network network, parse_ipv4_network(options.pod_cidr));
  SKIFF_ASSIGN_OR_RETURN(AddressPool pool,
                         AddressPool::open(base::concat(options.runtime_dir, "/network"), network));
  auto forwarding = sys::write_control_file("/proc/sys/net/ipv4/ip_forward", "1");
  if (!forwarding) return forwarding.with_context("let this host forward packets between pods");
  return std::unique_ptr<PodNetwork>(std::make_unique<RoutedPodNetwork>(options, std::move(pool)));
}

}  // namespace skiff::net
