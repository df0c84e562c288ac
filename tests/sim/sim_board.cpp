#include "sim/sim_board.h"

#include <skiff/base/log.h>

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
      machine_(loop, network, options_.address),
      random_(base::seeded_random(options_.seed)),
      host_(machine_, *random_, wire, options_.node_name, options_.folder),
      client_(wire) {
  config_.node_name = options_.node_name;
  config_.data_dir = host_.data_dir();
  config_.servers = {{kMasterAddress, kMasterPort}};
}

SimBoard::~SimBoard() = default;

void SimBoard::set_token(std::string token, bool replace) {
  config_.token = std::move(token);
  config_.replace = replace;
}

void SimBoard::start() {
  refusal_ = {};
  started_at_ = loop_.monotonic();
  scope_ = std::make_unique<base::TaskScope>(loop_);
  scope_->spawn(run());
}

base::Task<void> SimBoard::stop() {
  scope_->cancel();
  auto joining = scope_->join();
  co_await std::move(joining);
  scope_.reset();
}

base::Task<void> SimBoard::kill() {
  is_killed_ = true;
  host_.kill_process();
  client_.disconnect();
  auto stopping = stop();
  co_await std::move(stopping);
  host_.bury_process();
  is_killed_ = false;
}

const app::JoinedNode& SimBoard::credentials() const { return keeper_->node(); }

base::Task<void> SimBoard::run() {
  const base::CancelToken cancel = scope_->token();
  while (!cancel.is_cancelled()) {
    auto joining = app::ensure_joined(config_, machine_, *random_, cancel);
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

void SimBoard::open_uplink(const app::JoinedNode& joined) {
  http::TlsClientOptions tls;
  tls.ca_pem = joined.ca_pem;
  tls.certificate_pem = joined.certificate_pem;
  tls.key_pem = joined.key_pem;
  tls.now = [this] { return machine_.clock().now(); };
  auto context = http::make_tls_client_context(tls);
  SKIFF_ASSERT(context.is_ok());
  tls_ = std::move(*context);
  client::UplinkOptions uplink;
  uplink.loop = &machine_;
  uplink.random = random_.get();
  uplink.node_name = joined.name;
  uplink.masters = {{kMasterAddress, kMasterPort}};
  uplink.tls = tls_;
  uplink.local = &streams_;
  uplink.node_session = client::make_node_session(machine_, joined.name);
  uplink_ = client::make_uplink(std::move(uplink));
}

// Until the process is stopped, as app/worker_node.cpp does.
base::Task<void> SimBoard::work(app::JoinedNode joined) {
  const base::CancelToken cancel = scope_->token();
  base::TaskScope background(loop_);
  open_uplink(joined);
  background.spawn(uplink_->run(background.token()));
  keeper_ = std::make_unique<app::CredentialKeeper>(config_, machine_, std::move(joined), tls_,
                                                    loop_, *random_, background.token());
  background.spawn(keeper_->run());
  // Nobody waits for the last words of what is killed.
  base::CancelCallback on_kill(cancel, [this, &background] {
    if (is_killed_) background.cancel();
  });
  client_.connect(uplink_->client());
  auto running = run_node(cancel);
  co_await std::move(running);
  on_kill.reset();
  // After the node, whose last words go through it.
  background.cancel();
  auto ending = background.join();
  co_await std::move(ending);
  client_.disconnect();
  streams_.sessions.clear();
  keeper_.reset();
  uplink_.reset();
}

base::Task<void> SimBoard::run_node(base::CancelToken cancel) {
  node_ = std::make_unique<BoardNode>(
      BoardNode::Options{loop_, machine_, host_, *random_, client_, name(), address()});
  auto running = node_->run(cancel);
  auto ended = co_await std::move(running);
  node_.reset();
  if (cancel.is_cancelled()) co_return;
  base::log_info("the agent of a board has ended", {{"node", name()}, {"error", ended}});
  (void)co_await base::sleep(loop_, kProcessRestart, cancel);
}

}  // namespace skiff::sim
