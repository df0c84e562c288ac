// A non-blocking socket with its buffers, plain or under TLS; the server and the client share it.
#pragma once

#include <skiff/base/lean_queue.h>
#include <skiff/base/shared_bytes.h>
#include <skiff/http/message.h>
#include <skiff/loop/network.h>

#include "http/tls_session.h"

#include <memory>
#include <string>
#include <string_view>

namespace skiff::http {

// What a pipe tells its owner, on the loop. Each call may close the pipe, none may destroy it:
// keep_alive() holds the owner while the pipe is at work.
class PipeOwner {
 public:
  virtual ~PipeOwner() = default;
  virtual std::shared_ptr<void> keep_alive() = 0;
  // The TLS handshake is over (at once on plain connections).
  virtual void on_established() = 0;
  // input() has grown.
  virtual void on_input() = 0;
  // The peer sends no more; what is queued may still be sent.
  virtual void on_end_of_input() = 0;
  // Bytes went out; queued_bytes() has shrunk.
  virtual void on_sent() = 0;
  // The pipe is closed, for the reason given; ok after close().
  virtual void on_closed(base::Status why) = 0;
};

// Loop-only.
class SocketPipe {
 public:
  SocketPipe(loop::Loop& loop, std::unique_ptr<loop::Socket> socket,
             std::unique_ptr<TlsSession> tls, PipeOwner& owner);
  ~SocketPipe();
  SocketPipe(const SocketPipe&) = delete;
  SocketPipe& operator=(const SocketPipe&) = delete;

  // Begins. A client's handshake starts here.
  base::Status start(bool is_client);

  // Decrypted bytes that the owner has not consumed.
  std::string_view input() const { return std::string_view(input_).substr(input_offset_); }
  void consume(std::size_t bytes);
  // Reading pauses by itself while much input is buffered.
  void set_reading(bool reading);

  // Queues bytes; flush() sends.
  void send(base::SharedBytes bytes);
  void send(std::string_view bytes);
  std::size_t queued_bytes() const { return queued_bytes_ + cipher_out_.size(); }
  // Sends what the socket takes now, at most a slice; the rest follows as it becomes writable.
  void flush();
  // When the queue was last seen to move, while it is not empty.
  base::MonotonicTime last_progress() const { return last_progress_; }

  // Ends the sending side after what is queued; input is dropped from now on, until the peer
  // closes.
  void finish();
  // At once. on_closed is called before it returns, the first time.
  void close(base::Status why);
  bool is_open() const { return socket_ != nullptr; }
  bool is_established() const { return tls_ == nullptr || tls_->is_established(); }
  const TlsSession* tls() const { return tls_.get(); }

 private:
  void on_ready(loop::Ready ready);
  void on_readable();
  void take(std::string_view bytes);
  void take_cipher(std::string_view bytes);
  void end_input();
  void update_interest();
  // Sends what is not to wait in the queue, as far as the socket takes it.
  void send_now(std::string_view bytes);
  // False when the socket takes no more now or the pipe closed.
  bool write_out(std::string_view& bytes);
  bool flush_cipher(std::size_t& budget);
  bool flush_plain(std::size_t& budget);
  bool encrypt_slice(std::size_t bytes, std::string& cipher);
  void pop_sent(std::size_t bytes);
  void queue_closed();

  loop::Loop& loop_;
  std::unique_ptr<loop::Socket> socket_;  // null: closed
  std::unique_ptr<TlsSession> tls_;
  PipeOwner& owner_;
  bool is_watched_ = false;
  std::string input_;
  std::size_t input_offset_ = 0;
  base::LeanQueue<base::SharedBytes> queue_;
  std::size_t queue_offset_ = 0;  // of the first entry
  std::size_t queued_bytes_ = 0;
  std::string cipher_out_;  // encrypted, refused by the socket so far
  base::MonotonicTime last_progress_;
  bool reading_ = true;
  bool input_ended_ = false;
  bool wants_write_ = false;
  bool finishing_ = false;
  bool finished_ = false;
};

}  // namespace skiff::http
