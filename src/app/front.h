// The HTTPS front of a master: a server on each of its io loops, all on one port.
#pragma once

#include <skiff/http/server.h>

#include "app/threads.h"

#include <memory>
#include <vector>

namespace skiff::app {

// Made before the loops run, destroyed when they do not run any more. The threads outlive it.
class Front {
 public:
  // Errors: unavailable with who holds the port where that can be told.
  static base::Result<std::unique_ptr<Front>> open(Threads& threads, http::Handler& handler,
                                                   std::shared_ptr<http::TlsContext> tls,
                                                   http::ServerOptions options);

  // Runs the further io loops. On the io loop, once.
  void start();
  // Ends the connections of clients that are trusted no more (http::Server::end_untrusted), soon.
  // On the io loop.
  void end_untrusted();
  // Returns when every server has stopped (http::Server::stop). On the io loop, after start().
  base::Task<void> stop(base::Duration grace);

 private:
  explicit Front(Threads& threads) : threads_(threads) {}
  base::Status add(loop::Loop& loop, http::Handler& handler, std::shared_ptr<http::TlsContext> tls,
                   http::ServerOptions& options);

  struct Part {
    loop::Loop* loop;
    std::unique_ptr<http::Server> server;
  };
  Threads& threads_;
  std::vector<Part> parts_;
};

}  // namespace skiff::app
