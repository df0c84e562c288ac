#include <skiff/http/server.h>

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include "http/limits.h"
#include "http/listener.h"
#include "http/server_core.h"

namespace skiff::http {

namespace {

// Loop-only, except counters().
class LoopServer final : public Server {
 public:
  explicit LoopServer(std::shared_ptr<ServerCore> core) : core_(std::move(core)) {}
  ~LoopServer() override {
    listeners_.clear();
    core_->shut_down();
  }

  base::Status open() {
    const auto& options = core_->options();
    port_ = options.port;
    for (const auto& address : options.addresses) {
      SKIFF_ASSIGN_OR_RETURN(auto listener, listen(address));
      port_ = listener->port();
      listeners_.push_back(std::move(listener));
    }
    core_->start();
    return base::Status::ok();
  }

  std::uint16_t port() const override { return port_; }
  base::Task<void> stop(base::Duration grace) override {
    listeners_.clear();
    auto stopping = core_->stop(grace);
    co_await std::move(stopping);
  }
  ServerCounters counters() const override { return core_->counters(); }
  void end_untrusted() override { core_->end_untrusted(); }

 private:
  base::Result<std::unique_ptr<loop::NetworkListener>> listen(const std::string& address) {
    loop::AcceptCallback accept = [core = core_](std::unique_ptr<loop::Socket> socket,
                                                 std::string client, std::string peer) {
      core->add(std::move(socket), std::move(client), std::move(peer));
    };
    auto& loop = core_->loop();
    if (auto* network = loop::network_of(loop))
      return network->listen(address, port_, std::move(accept));
    const bool share_port = core_->options().share_port;
    SKIFF_ASSIGN_OR_RETURN(auto listener,
                           Listener::open(loop, address, port_, share_port, std::move(accept)));
    return std::unique_ptr<loop::NetworkListener>(std::move(listener));
  }

  std::shared_ptr<ServerCore> core_;
  std::vector<std::unique_ptr<loop::NetworkListener>> listeners_;
  std::uint16_t port_ = 0;
};

}  // namespace

base::Result<std::unique_ptr<Server>> make_server(loop::Loop& loop, base::Executor& workers,
                                                  Handler& handler, std::shared_ptr<TlsContext> tls,
                                                  const ServerOptions& options) {
  if (options.addresses.empty()) return base::invalid_argument("no address to listen on");
  auto core = std::make_shared<ServerCore>(loop, workers, handler, std::move(tls), options);
  auto server = std::make_unique<LoopServer>(std::move(core));
  SKIFF_RETURN_IF_ERROR(server->open());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace skiff::http
