#include "client/uplink/master_link.h"

#include "client/limits.h"

#include <utility>

namespace skiff::client {

namespace {

base::Status no_connection() { return base::unavailable("no connection to a master"); }
base::Status too_many() {
  return {base::Code::too_many_requests, "too many requests to the master at a time"};
}

// Cancelled after a time. Loop-only.
class Deadline {
 public:
  Deadline(loop::Loop& loop, base::Duration after, const base::CancelToken& parent)
      : loop_(loop), source_(base::CancelSource::child_of(parent)) {
    timer_ = loop.start_timer(after, [source = source_] { source.cancel(); });
  }
  ~Deadline() { loop_.cancel_timer(timer_); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  base::CancelToken token() const { return source_.token(); }
  bool is_over() const { return source_.is_cancelled(); }

 private:
  loop::Loop& loop_;
  base::CancelSource source_;
  base::TimerId timer_ = 0;
};

class Counted {
 public:
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::size_t& count_;
};

}  // namespace

void MasterLink::connected(std::shared_ptr<http::Http2Connection> connection) {
  connection_ = std::move(connection);
  is_connected_ = true;
  wake_all(true);
}

void MasterLink::disconnected() {
  connection_ = nullptr;
  is_connected_ = false;
}

void MasterLink::stop() {
  stopped_ = true;
  disconnected();
  wake_all(false);
}

void MasterLink::wake_all(bool connected) {
  for (auto& [id, waiter] : std::exchange(waiters_, {})) waiter.set(connected);
}

base::Task<std::shared_ptr<http::Http2Connection>> MasterLink::wait_connection() {
  if (connection_ || stopped_) co_return connection_;
  base::OneShot<bool> woken;
  const auto id = next_waiter_++;
  waiters_.emplace(id, woken);
  auto timer = loop_.start_timer(kConnectionWaitMax, [woken] { woken.set(false); });
  auto future = woken.future();
  (void)co_await future;
  loop_.cancel_timer(timer);
  waiters_.erase(id);
  co_return connection_;
}

base::Task<base::Result<http::ClientResponse>> MasterLink::send(std::shared_ptr<MasterLink> link,
                                                                http::Http2Request request) {
  if (link->requests_ >= kRequestsAtOnceMax) co_return too_many();
  Counted counted(link->requests_);
  auto waiting = link->wait_connection();
  auto connection = co_await waiting;
  if (!connection) co_return no_connection();
  Deadline deadline(link->loop_, kAnswerTimeout, request.cancel);
  request.cancel = deadline.token();
  request.body_bytes_max = kObjectBytesMax;
  auto sending = connection->send(std::move(request));
  auto answer = co_await sending;
  if (!answer && deadline.is_over())
    co_return base::Status(base::Code::deadline_exceeded, "the master does not answer in time");
  co_return answer;
}

base::Task<base::Result<std::unique_ptr<http::ResponseStream>>> MasterLink::open(
    std::shared_ptr<MasterLink> link, http::Http2Request request) {
  if (link->requests_ >= kRequestsAtOnceMax) co_return too_many();
  Counted counted(link->requests_);
  auto waiting = link->wait_connection();
  auto connection = co_await waiting;
  if (!connection) co_return no_connection();
  auto opening = connection->open(std::move(request));
  co_return co_await opening;
}

}  // namespace skiff::client
