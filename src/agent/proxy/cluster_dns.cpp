#include "agent/limits.h"
#include "agent/proxy/dns_records.h"

#include <skiff/base/log.h>

#include <algorithm>

namespace skiff::agent {

namespace {

// Loop-only.
class LoopClusterDns final : public ClusterDns {
 public:
  LoopClusterDns(const ServiceTable& table, loop::Loop& loop, base::Random& random,
                 ClusterDnsOptions options)
      : loop_(loop),
        random_(random),
        options_(std::move(options.server)),
        records_(table, options.cluster_domain, {options.service_cidr, options.cluster_cidr}) {
    options_.zone = options.cluster_domain;
  }

  base::Task<void> run(base::CancelToken cancel) override {
    base::Duration retry = kDnsBindRetryInitial;
    while (!server_) {
      auto made = net::make_dns_server(loop_, random_, records_, options_);
      if (made.is_ok()) {
        server_ = std::move(*made);
        break;
      }
      base::log_warning("the cluster's DNS cannot listen; trying again",
                        {{"error", made.status()}});
      bool slept = co_await base::sleep(loop_, retry, cancel);
      if (!slept) co_return;
      retry = std::min(retry * 2, kDnsBindRetryMax);
    }
    base::OneShot<bool> cancelled;
    base::CancelCallback on_cancel(cancel, [cancelled] { cancelled.set(true); });
    auto future = cancelled.future();
    co_await future;
    co_await server_->stop();
    server_.reset();
  }
  bool is_serving() const override { return server_ != nullptr; }
  net::DnsSource& source() override { return records_; }

 private:
  loop::Loop& loop_;
  base::Random& random_;
  net::DnsOptions options_;
  DnsRecords records_;
  std::unique_ptr<net::DnsServer> server_;
};

}  // namespace

std::unique_ptr<ClusterDns> make_cluster_dns(ServiceView& view, loop::Loop& loop,
                                             base::Random& random, ClusterDnsOptions options) {
  return std::make_unique<LoopClusterDns>(static_cast<ServiceTable&>(view), loop, random,
                                          std::move(options));
}

}  // namespace skiff::agent
