// A master that serves real TLS on loopback, and workers' uplinks to it; each on a thread of its
// own.
#pragma once

#include <skiff/apiserver/apiserver.h>
#include <skiff/client/uplink.h>
#include <skiff/http/server.h>
#include <skiff/loop/loop.h>
#include <skiff/loop/work_pool.h>
#include <skiff/pki/authority.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace skiff::test {

// A loop on a thread; destroyed, it stops and joins.
class LoopThread {
 public:
  explicit LoopThread(std::string name);
  ~LoopThread();
  loop::Loop& loop() { return *loop_; }
  // Runs the task there and returns its value.
  template <class T>
  T run(base::Task<T> task) {
    return start(std::move(task)).get();
  }
  template <class T>
  std::future<T> start(base::Task<T> task) {
    std::promise<T> done;
    auto future = done.get_future();
    base::spawn_detached(*loop_, collect(std::move(task), std::move(done)));
    return future;
  }
  void run(base::Task<void> task) { (void)run(finish(std::move(task))); }
  void call(std::function<void()> function) { run(call_it(std::move(function))); }

 private:
  template <class T>
  static base::Task<void> collect(base::Task<T> task, std::promise<T> done) {
    T value = co_await task;
    done.set_value(std::move(value));
  }
  static base::Task<bool> finish(base::Task<void> task) {
    co_await task;
    co_return true;
  }
  static base::Task<void> call_it(std::function<void()> function) {
    function();
    co_return;
  }
  std::unique_ptr<loop::Loop> loop_;
  std::thread thread_;
};

class TestAuthority {
 public:
  TestAuthority();
  std::shared_ptr<http::TlsContext> server_tls(const std::string& dns_name) const;
  std::shared_ptr<http::TlsContext> client_tls(const std::string& common_name,
                                               const std::string& organization) const;

 private:
  pki::KeyAndCertificate issue(const pki::Identity& identity, bool for_server) const;
  std::unique_ptr<pki::Authority> authority_;
};

// Wraps the handler of the API server, for tests that look at or refuse requests.
using Intercept = std::function<std::optional<http::Response>(const http::Request&)>;

// API server over a memory store that outlasts serve() and stop().
class TestMaster : public http::Handler {
 public:
  // `local` is the channel of the node `local_name`, beside those that connect.
  explicit TestMaster(const TestAuthority& authority, watch::HubOptions hub_options = {},
                      client::NodeChannel* local = nullptr, const std::string& local_name = {});
  ~TestMaster() override;
  void serve(std::uint16_t port = 0, const std::string& dns_name = "kubernetes");
  void stop();
  std::uint16_t port() const { return port_; }
  std::unique_ptr<client::Client> loopback() {
    return server_->loopback_client(auth::admin_user());
  }
  client::NodeChannel& nodes() { return server_->node_channel(); }
  LoopThread& thread() { return thread_; }
  // Before serve().
  Intercept intercept;

 private:
  base::Task<http::Response> handle(http::Request request) override;
  std::optional<http::Response> handle_inline(const http::Request& request) override;

  const TestAuthority& authority_;
  LoopThread thread_{"master"};
  std::unique_ptr<loop::WorkPool> workers_;
  std::unique_ptr<base::Random> random_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<watch::Hub> hub_;
  std::unique_ptr<apiserver::ApiServer> server_;
  std::unique_ptr<http::Server> http_;
  std::uint16_t port_ = 0;
};

class TestWorker {
 public:
  TestWorker(std::shared_ptr<http::TlsContext> tls, std::vector<std::uint16_t> ports,
             client::NodeSessionRunner node_session = nullptr);
  ~TestWorker();
  client::Client& client() { return uplink_->client(); }
  LoopThread& thread() { return thread_; }
  // Waits for the n-th time that the connection came (even: went).
  void wait_changes(std::size_t count);
  void stop();

 private:
  LoopThread thread_{"worker"};
  std::unique_ptr<base::Random> random_;
  std::unique_ptr<client::Uplink> uplink_;
  base::CancelSource cancel_;
  std::optional<std::future<bool>> running_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t changes_ = 0;  // under mutex_
};

}  // namespace skiff::test
