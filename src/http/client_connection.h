// A connection of the client on the loop, and those that wait to be used again.
#pragma once

#include <skiff/base/async.h>
#include <skiff/http/client.h>

#include "http/framer.h"
#include "http/socket_pipe.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skiff::http {

class ClientPool;

// Loop-only. One request at a time.
class ClientConnection final : public PipeOwner,
                               public std::enable_shared_from_this<ClientConnection> {
 public:
  ClientConnection(loop::Loop& loop, std::shared_ptr<TlsContext> tls)
      : loop_(loop), tls_(std::move(tls)) {}
  ~ClientConnection() override;

  base::Status start(std::unique_ptr<loop::Socket> socket, const std::string& server_name);
  // Returns when the handshake is over.
  base::Task<base::Status> wait_established();
  void begin(std::string head, const std::string& body, std::string method);
  // The final head of the answer: 1xx are skipped, but for 101.
  base::Task<base::Result<ResponseHead>> read_head();
  // The next piece of the body, or raw bytes after 101; empty at the end.
  base::Task<base::Result<std::string>> read_body();
  base::Task<base::Status> write_raw(std::string bytes);
  void fail(base::Status why);

  std::optional<ChannelBinding> channel_binding() const;
  bool is_open() const { return pipe_ && pipe_->is_open(); }
  // The answer is read to its end and another request may follow.
  bool is_reusable() const;
  bool saw_answer() const { return saw_answer_; }
  // Between two requests: bytes, or the end, make it useless.
  void set_idle(std::weak_ptr<ClientPool> pool, std::string target);
  void set_busy();

  std::shared_ptr<void> keep_alive() override { return shared_from_this(); }
  void on_established() override { wake(); }
  void on_input() override;
  void on_end_of_input() override;
  void on_sent() override { wake(); }
  void on_closed(base::Status why) override;

 private:
  base::Task<void> wait_event();
  void wake();
  // nullopt: more bytes are needed.
  std::optional<base::Result<ResponseHead>> take_head();
  void leave_pool();

  loop::Loop& loop_;
  const std::shared_ptr<TlsContext> tls_;
  std::unique_ptr<SocketPipe> pipe_;
  std::vector<base::OneShot<bool>> waiters_;
  base::Status failure_;
  bool input_ended_ = false;
  bool saw_answer_ = false;
  bool is_raw_ = false;
  bool keep_alive_ = false;
  bool body_done_ = false;
  std::string method_;
  HeadScanner scanner_;
  BodyDecoder decoder_;
  std::weak_ptr<ClientPool> pool_;  // while idle
  std::string target_;
  base::TimerId idle_timer_ = 0;
};

// Idle connections by target. Loop-only.
class ClientPool : public std::enable_shared_from_this<ClientPool> {
 public:
  explicit ClientPool(loop::Loop& loop) : loop_(loop) {}
  loop::Loop& loop() { return loop_; }
  // An executor for name resolution, made when it is first needed.
  base::Result<base::Executor*> resolver();
  // Null when there is none.
  std::shared_ptr<ClientConnection> take(const std::string& target);
  void put(const std::string& target, std::shared_ptr<ClientConnection> connection);
  void forget(const std::string& target, ClientConnection& connection);

 private:
  loop::Loop& loop_;
  std::unique_ptr<base::Executor> resolver_;
  std::map<std::string, std::vector<std::shared_ptr<ClientConnection>>> idle_;
  std::size_t idle_count_ = 0;
};

// brief: as ClientRequest::is_brief.
enum class SocketUse : unsigned char { lasting, brief };

// A connected socket to any of the host's addresses.
base::Task<base::Result<std::unique_ptr<loop::Socket>>> connect_to(std::shared_ptr<ClientPool> pool,
                                                                   std::string host,
                                                                   std::uint16_t port,
                                                                   SocketUse use,
                                                                   base::CancelToken cancel);

}  // namespace skiff::http
