#include "app/front.h"

namespace skiff::app {

namespace {

base::Task<void> stop_server(http::Server* server, base::Duration grace, base::OneShot<bool> done) {
  co_await server->stop(grace);
  done.set(true);
}

}  // namespace

base::Result<std::unique_ptr<Front>> Front::open(Threads& threads, http::Handler& handler,
                                                 std::shared_ptr<http::TlsContext> tls,
                                                 http::ServerOptions options) {
  std::unique_ptr<Front> front(new Front(threads));
  options.share_port = !threads.more_io.empty();
  SKIFF_RETURN_IF_ERROR(front->add(*threads.io, handler, tls, options));
  for (auto& each : threads.more_io)
    SKIFF_RETURN_IF_ERROR(front->add(each->loop(), handler, tls, options));
  return front;
}

base::Status Front::add(loop::Loop& loop, http::Handler& handler,
                        std::shared_ptr<http::TlsContext> tls, http::ServerOptions& options) {
  SKIFF_ASSIGN_OR_RETURN(
      auto server, http::make_server(loop, *threads_.workers, handler, std::move(tls), options));
  options.port = server->port();
  parts_.push_back({&loop, std::move(server)});
  return base::Status::ok();
}

void Front::start() {
  for (auto& each : threads_.more_io) each->run();
}

void Front::end_untrusted() {
  for (auto& part : parts_)
    part.loop->post([server = part.server.get()] { server->end_untrusted(); });
}

base::Task<void> Front::stop(base::Duration grace) {
  std::vector<base::OneShot<bool>> stopped(parts_.size());
  for (std::size_t i = 0; i < parts_.size(); ++i)
    base::spawn_detached(*parts_[i].loop, stop_server(parts_[i].server.get(), grace, stopped[i]));
  for (auto& each : stopped) co_await each.future();
}

}  // namespace skiff::app
