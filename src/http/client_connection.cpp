#include "http/client_connection.h"

#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>

#include "http/limits.h"

#include <algorithm>

namespace skiff::http {

ClientConnection::~ClientConnection() {
  if (idle_timer_ != 0) loop_.cancel_timer(idle_timer_);
}

base::Status ClientConnection::start(std::unique_ptr<loop::Socket> socket,
                                     const std::string& server_name) {
  std::unique_ptr<TlsSession> session;
  if (tls_ != nullptr) {
    SKIFF_ASSIGN_OR_RETURN(session, TlsSession::make_client(*tls_, server_name));
  }
  pipe_ = std::make_unique<SocketPipe>(loop_, std::move(socket), std::move(session), *this);
  return pipe_->start(true);
}

void ClientConnection::wake() {
  auto waiters = std::move(waiters_);
  waiters_.clear();
  for (auto& waiter : waiters) waiter.set(true);
}

base::Task<void> ClientConnection::wait_event() {
  base::OneShot<bool> event;
  waiters_.push_back(event);
  auto future = event.future();
  (void)co_await future;
}

std::optional<ChannelBinding> ClientConnection::channel_binding() const {
  const bool has_tls = is_open() && pipe_->tls() != nullptr && pipe_->is_established();
  return has_tls ? pipe_->tls()->channel_binding() : std::nullopt;
}

base::Task<base::Status> ClientConnection::wait_established() {
  while (is_open() && !pipe_->is_established()) {
    auto waiting = wait_event();
    co_await waiting;
  }
  co_return failure_;
}

void ClientConnection::begin(std::string head, const std::string& body, std::string method) {
  method_ = std::move(method);
  scanner_.reset();
  saw_answer_ = is_raw_ = keep_alive_ = body_done_ = false;
  pipe_->send(head);
  if (!body.empty()) pipe_->send(body);
  pipe_->flush();
}

std::optional<base::Result<ResponseHead>> ClientConnection::take_head() {
  for (;;) {
    auto state = scanner_.scan(pipe_->input());
    if (state == HeadScanner::State::bad)
      return base::Result<ResponseHead>(base::unavailable("malformed HTTP response"));
    if (state == HeadScanner::State::need_more) {
      if (pipe_->input().size() > kResponseHeadBytesMax)
        return base::Result<ResponseHead>(base::unavailable("HTTP response head too large"));
      return std::nullopt;
    }
    ResponseHead head;
    auto error =
        parse_response_head(pipe_->input().substr(0, scanner_.head_bytes()), method_, head);
    if (error)
      return base::Result<ResponseHead>(
          base::unavailable(base::concat("malformed HTTP response: ", error->reason)));
    pipe_->consume(scanner_.head_bytes());
    scanner_.reset();
    if (head.status >= 200 || head.status == 101) {
      is_raw_ = head.status == 101;
      keep_alive_ = head.keep_alive && !is_raw_;
      body_done_ = head.body == BodyKind::none && !is_raw_;
      decoder_.start(head.body, head.content_length, UINT64_MAX);
      return base::Result<ResponseHead>(std::move(head));
    }
  }
}

base::Task<base::Result<ResponseHead>> ClientConnection::read_head() {
  for (;;) {
    if (!failure_.is_ok()) co_return failure_;
    if (auto head = take_head()) {
      if (!*head) fail(head->status());
      co_return std::move(*head);
    }
    if (input_ended_ || !is_open()) {
      fail(base::unavailable("the server closed the connection without an answer"));
      co_return failure_;
    }
    auto waiting = wait_event();
    co_await waiting;
  }
}

base::Task<base::Result<std::string>> ClientConnection::read_body() {
  std::string piece;
  for (;;) {
    if (body_done_) co_return piece;
    if (pipe_ && !pipe_->input().empty()) {
      if (is_raw_) {
        piece = std::string(pipe_->input());
        pipe_->consume(piece.size());
        co_return piece;
      }
      std::size_t used = 0;
      auto state = decoder_.decode(pipe_->input(), piece, used);
      pipe_->consume(used);
      body_done_ = state == BodyDecoder::State::done;
      if (state == BodyDecoder::State::bad || state == BodyDecoder::State::too_large) {
        fail(base::unavailable("malformed HTTP response body"));
        co_return failure_;
      }
      if (body_done_ || !piece.empty()) co_return piece;
    }
    if (!failure_.is_ok()) co_return failure_;
    if (input_ended_ || !is_open()) {
      if (!is_raw_ && !decoder_.may_end_here())
        fail(base::unavailable("the connection ended within the body of an answer"));
      if (!failure_.is_ok()) co_return failure_;
      body_done_ = true;
      co_return piece;
    }
    auto waiting = wait_event();
    co_await waiting;
  }
}

base::Task<base::Status> ClientConnection::write_raw(std::string bytes) {
  while (is_open() && pipe_->queued_bytes() >= kOutputQueueBytesMax) {
    auto waiting = wait_event();
    co_await waiting;
  }
  if (!is_open())
    co_return failure_.is_ok() ? base::unavailable("the connection is closed") : failure_;
  pipe_->send(bytes);
  pipe_->flush();
  co_return base::Status::ok();
}

void ClientConnection::fail(base::Status why) {
  auto keep = shared_from_this();
  if (failure_.is_ok()) failure_ = why;
  if (is_open()) pipe_->close(std::move(why));
  wake();
}

void ClientConnection::on_input() {
  saw_answer_ = true;
  if (pool_.lock()) {
    leave_pool();
    fail(base::unavailable("bytes on an idle connection"));
    return;
  }
  wake();
}

void ClientConnection::on_end_of_input() {
  input_ended_ = true;
  if (pool_.lock()) {
    leave_pool();
    fail(base::unavailable("the server closed an idle connection"));
    return;
  }
  wake();
}

void ClientConnection::on_closed(base::Status why) {
  input_ended_ = true;
  // What has arrived is still read; only then the failure shows.
  if (failure_.is_ok() && !why.is_ok()) failure_ = std::move(why);
  if (pool_.lock()) leave_pool();
  wake();
}

bool ClientConnection::is_reusable() const {
  return is_open() && keep_alive_ && body_done_ && !input_ended_ && failure_.is_ok() &&
         pipe_->input().empty() && pipe_->queued_bytes() == 0;
}

void ClientConnection::set_idle(std::weak_ptr<ClientPool> pool, std::string target) {
  pool_ = std::move(pool);
  target_ = std::move(target);
  idle_timer_ = loop_.start_timer(kClientIdleTimeout, [this] {
    idle_timer_ = 0;
    auto keep = shared_from_this();
    leave_pool();
    fail(base::unavailable("idle for too long"));
  });
}

void ClientConnection::set_busy() {
  pool_.reset();
  if (idle_timer_ != 0) loop_.cancel_timer(idle_timer_);
  idle_timer_ = 0;
}

void ClientConnection::leave_pool() {
  auto pool = pool_.lock();
  auto keep = shared_from_this();
  set_busy();
  if (pool) pool->forget(target_, *this);
}

base::Result<base::Executor*> ClientPool::resolver() {
  if (!resolver_) {
    loop::WorkPoolOptions options;
    options.name = "resolver";
    options.threads_max = kResolverThreadsMax;
    SKIFF_ASSIGN_OR_RETURN(resolver_, loop::make_work_pool(std::move(options)));
  }
  return resolver_.get();
}

std::shared_ptr<ClientConnection> ClientPool::take(const std::string& target) {
  auto it = idle_.find(target);
  if (it == idle_.end()) return nullptr;
  auto connection = std::move(it->second.back());
  it->second.pop_back();
  --idle_count_;
  if (it->second.empty()) idle_.erase(it);
  connection->set_busy();
  return connection;
}

void ClientPool::put(const std::string& target, std::shared_ptr<ClientConnection> connection) {
  auto& same = idle_[target];
  if (same.size() >= kIdleClientsPerTarget || idle_count_ >= kIdleClientsMax) {
    if (same.empty()) idle_.erase(target);
    return;
  }
  connection->set_idle(weak_from_this(), target);
  same.push_back(std::move(connection));
  ++idle_count_;
}

void ClientPool::forget(const std::string& target, ClientConnection& connection) {
  auto it = idle_.find(target);
  if (it == idle_.end()) return;
  auto& same = it->second;
  auto at = std::find_if(same.begin(), same.end(),
                         [&](const auto& entry) { return entry.get() == &connection; });
  if (at == same.end()) return;
  same.erase(at);
  --idle_count_;
  if (same.empty()) idle_.erase(it);
}

}  // namespace skiff::http
