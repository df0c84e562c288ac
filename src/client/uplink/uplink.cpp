#include <skiff/client/uplink.h>

#include "client/uplink/connection_keeper.h"
#include "client/uplink/uplink_client.h"

namespace skiff::client {

namespace {

class UplinkImpl final : public Uplink {
 public:
  explicit UplinkImpl(UplinkOptions options)
      : link_(std::make_shared<MasterLink>(*options.loop)),
        watches_(std::make_shared<WatchSet>(*options.loop)),
        client_(make_uplink_client(link_, watches_)),
        keeper_(std::move(options), link_,
                [watches = watches_](std::shared_ptr<http::Http2Connection> connection,
                                     base::CancelToken cancel) {
                  return watches->carry(std::move(connection), std::move(cancel));
                }) {}

  Client& client() override { return *client_; }
  void set_local(NodeChannel* local) override { keeper_.set_local(local); }
  bool is_connected() const override { return keeper_.is_established(); }
  UplinkLoad load() const override {
    UplinkLoad all;
    watches_->add_load(all);
    link_->add_load(all);
    return all;
  }
  void reconnect() override { keeper_.drop(); }
  base::Task<void> run(base::CancelToken cancel) override {
    auto keeping = keeper_.run(std::move(cancel));
    co_await keeping;
    watches_->stop();
  }

 private:
  std::shared_ptr<MasterLink> link_;
  std::shared_ptr<WatchSet> watches_;
  std::unique_ptr<Client> client_;
  ConnectionKeeper keeper_;
};

}  // namespace

std::unique_ptr<Uplink> make_uplink(UplinkOptions options) {
  SKIFF_ASSERT(options.loop != nullptr && options.random != nullptr && options.tls != nullptr);
  SKIFF_ASSERT(!options.masters.empty());
  return std::make_unique<UplinkImpl>(std::move(options));
}

}  // namespace skiff::client
