// Who a running master is: its address follows the kernel (DHCP).
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/clock.h>
#include <skiff/loop/loop.h>

#include "app/addresses.h"
#include "app/bootstrap.h"

#include <functional>
#include <mutex>
#include <string>

namespace skiff::app {

// The name and the address of this moment. Thread-safe.
class MasterIdentity {
 public:
  explicit MasterIdentity(NodeIdentity identity) : identity_(std::move(identity)) {}
  NodeIdentity get() const {
    std::lock_guard lock(mutex_);
    return identity_;
  }
  // Where others reach it; empty while the host has no address.
  std::string advertised_ip() const {
    std::string ip = get().ip;
    return ip == kNoNodeAddress ? std::string() : ip;
  }
  // Returns the address of before; the same when nothing has changed.
  std::string set_ip(std::string ip) {
    std::lock_guard lock(mutex_);
    return std::exchange(identity_.ip, std::move(ip));
  }

 private:
  mutable std::mutex mutex_;
  NodeIdentity identity_;
};

// Lets the certificate and the objects that name this master follow its address. Loop-only: on the
// io loop.
class AddressFollower {
 public:
  struct Parts {
    std::function<void()> renew_certificates;                 // asks for it, does not wait
    std::function<base::Task<base::Status>()> write_objects;  // default/kubernetes, of identity
  };
  AddressFollower(MasterIdentity& identity, base::Timers& timers, Parts parts)
      : identity_(identity), timers_(timers), parts_(std::move(parts)) {}

  // What the kernel says of the address that `config` asks for. Until cancelled.
  base::Task<void> watch(const Config& config, loop::Loop& io, base::CancelToken cancel);
  // Writes objects after each change, and again until it is done. Until cancelled.
  base::Task<void> write(base::CancelToken cancel);
  // Looks at once.
  base::Task<void> look(const Config& config);
  // `ip` is the master's address from now on.
  void use(std::string ip);

 private:
  MasterIdentity& identity_;
  base::Timers& timers_;
  Parts parts_;
  base::Notifier changed_;
};

}  // namespace skiff::app
