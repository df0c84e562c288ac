// Keeps one connection to one of the masters.
#pragma once

#include <skiff/client/uplink.h>

#include "client/uplink/master_link.h"

#include <memory>

namespace skiff::client {

// Loop-only.
class ConnectionKeeper {
 public:
  // What else runs on a connection until it ends or `cancel`.
  using Carrier = std::function<base::Task<void>(std::shared_ptr<http::Http2Connection> connection,
                                                 base::CancelToken cancel)>;
  ConnectionKeeper(UplinkOptions options, std::shared_ptr<MasterLink> link, Carrier carrier)
      : options_(std::move(options)), link_(std::move(link)), carrier_(std::move(carrier)) {}

  base::Task<void> run(base::CancelToken cancel);
  bool is_established() const { return established_; }
  void set_local(NodeChannel* local) { options_.local = local; }
  // Ends the connection, if there is one; another is made as after any loss.
  void drop();

 private:
  base::Task<base::Result<std::unique_ptr<http::Http2Connection>>> connect(
      MasterAddress master, base::CancelToken cancel);
  // Until the connection has ended, with why.
  base::Task<base::Status> use(std::shared_ptr<http::Http2Connection> connection, std::string where,
                               base::CancelToken cancel);
  void set_established(bool established);
  void log_failure(const MasterAddress& master, const base::Status& why);

  UplinkOptions options_;
  std::shared_ptr<MasterLink> link_;
  Carrier carrier_;
  std::weak_ptr<http::Http2Connection> connection_;
  bool established_ = false;
  bool told_ = false;  // that masters cannot be reached
};

}  // namespace skiff::client
