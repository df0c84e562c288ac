// A listening socket of the kernel on the loop.
#pragma once

#include <skiff/base/result.h>
#include <skiff/base/unique_fd.h>
#include <skiff/loop/network.h>

#include <cstdint>
#include <memory>
#include <string>

struct sockaddr_storage;

namespace skiff::http {

// Loop-only.
class Listener final : public loop::NetworkListener {
 public:
  // `share_port`: several loops of one process accept on the same port.
  static base::Result<std::unique_ptr<Listener>> open(loop::Loop& loop, const std::string& address,
                                                      std::uint16_t port, bool share_port,
                                                      loop::AcceptCallback accept);
  ~Listener() override;
  std::uint16_t port() const override { return port_; }

 private:
  Listener(loop::Loop& loop, loop::AcceptCallback accept)
      : loop_(loop), accept_(std::move(accept)) {}
  void on_ready();
  void pause();

  loop::Loop& loop_;
  loop::AcceptCallback accept_;
  base::UniqueFd fd_;
  std::unique_ptr<loop::FdWatch> watch_;
  base::TimerId retry_timer_ = 0;
  std::uint16_t port_ = 0;
};

// "192.0.2.1" and "192.0.2.1:80"; IPv4-mapped IPv6 addresses as IPv4.
std::string format_address(const sockaddr_storage& address, bool with_port);

// Who listens on the TCP port, as "process 4711 (nginx)"; empty when that cannot be told.
std::string describe_port_holder(std::uint16_t port);

}  // namespace skiff::http
