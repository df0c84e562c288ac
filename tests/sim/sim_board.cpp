#include "sim/sim_board.h"

#include <skiff/base/log.h>

#include <filesystem>

#include "app/credentials/credential_keeper.h"
#include "sim/sim_front.h"

namespace skiff::sim {

using namespace std::chrono_literals;

namespace {
constexpr base::Duration kProcessRestart = 5s;
}

SimBoard::SimBoard(test::SimLoop& loop, test::SimNetwork& network, Wire& wire, BoardOptions options)
    : loop_(loop),
      options_(std::move(options)),
      host_(loop, network, options_.address),
      random_(base::seeded_random(options_.seed)),
      client_(wire) {
  config_.node_name = options_.node_name;
  config_.data_dir = options_.data_dir;
  config_.servers = {{kMasterAddress, kMasterPort}};
  NodeHost host{host_, options_.node_name, options_.address, false};
  node_ = std::make_unique<FakeNode>(client_, loop_, *random_, std::move(host));
}

SimBoard::~SimBoard() = default;

void SimBoard::set_token(std::string token, bool replace) {
  config_.token = std::move(token);
  config_.replace = replace;
}

void SimBoard::forget() {
  std::error_code ignored;
  std::filesystem::remove_all(options_.data_dir, ignored);
}

void SimBoard::start() {
  refusal_ = {};
  scope_ = std::make_unique<base::TaskScope>(loop_);
  scope_->spawn(run());
}

base::Task<void> SimBoard::stop() {
  scope_->cancel();
  auto joining = scope_->join();
  co_await std::move(joining);
  scope_.reset();
}

const app::JoinedNode& SimBoard::credentials() const { return keeper_->node(); }

base::Task<void> SimBoard::run() {
  const base::CancelToken cancel = scope_->token();
  while (!cancel.is_cancelled()) {
    auto joining = app::ensure_joined(config_, host_, *random_, cancel);
    auto joined = co_await std::move(joining);
    if (cancel.is_cancelled()) co_return;
    refusal_ = joined.status();
    if (joined) {
      auto working = work(std::move(*joined));
      co_await std::move(working);
    } else {
      base::log_info("a board could not join", {{"node", name()}, {"error", refusal_}});
      (void)co_await base::sleep(loop_, kProcessRestart, cancel);
    }
  }
}

// Until the process is stopped, as app/worker_node.cpp does.
base::Task<void> SimBoard::work(app::JoinedNode joined) {
  const base::CancelToken cancel = scope_->token();
  http::TlsClientOptions tls;
  tls.ca_pem = joined.ca_pem;
  tls.certificate_pem = joined.certificate_pem;
  tls.key_pem = joined.key_pem;
  tls.now = [this] { return host_.clock().now(); };
  auto context = http::make_tls_client_context(tls);
  SKIFF_ASSERT(context.is_ok());
  tls_ = std::move(*context);
  base::TaskScope background(loop_);
  client::UplinkOptions uplink;
  uplink.loop = &host_;
  uplink.random = random_.get();
  uplink.node_name = joined.name;
  uplink.masters = {{kMasterAddress, kMasterPort}};
  uplink.tls = tls_;
  uplink.local = &streams_;
  uplink.node_session = client::make_node_session(host_, joined.name);
  uplink_ = client::make_uplink(std::move(uplink));
  background.spawn(uplink_->run(background.token()));
  keeper_ = std::make_unique<app::CredentialKeeper>(config_, host_, std::move(joined), tls_, loop_,
                                                    *random_, background.token());
  background.spawn(keeper_->run());
  client_.connect(uplink_->client());
  node_->start();

  base::OneShot<bool> cancelled;
  base::CancelCallback on_cancel(cancel, [cancelled] { cancelled.set(true); });
  auto future = cancelled.future();
  (void)co_await future;
  auto stopping = node_->stop();
  co_await std::move(stopping);
  // After the node, whose last words go through it.
  background.cancel();
  auto ending = background.join();
  co_await std::move(ending);
  client_.disconnect();
  streams_.sessions.clear();
  keeper_.reset();
  uplink_.reset();
}

}  // namespace skiff::sim
