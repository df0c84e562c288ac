#include "http/socket_pipe.h"

#include <skiff/base/strings.h>

#include "http/limits.h"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

namespace skiff::http {

namespace {

// One set per loop thread: what passes through within one call.
struct Scratch {
  char received[kReceiveBytes];
  std::string cipher;
  std::string gathered;
};
Scratch& scratch() {
  thread_local auto own = std::make_unique<Scratch>();
  return *own;
}

// Assigning an empty string would keep the storage.
void release(std::string& text) { std::string().swap(text); }

iovec piece_of(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

base::Status io_error(int error, std::string_view what) {
  auto status = base::errno_status(error, what);
  return {base::Code::unavailable, std::string(status.message())};
}

}  // namespace

SocketPipe::SocketPipe(loop::Loop& loop, std::unique_ptr<loop::Socket> socket,
                       std::unique_ptr<TlsSession> tls, PipeOwner& owner)
    : loop_(loop), socket_(std::move(socket)), tls_(std::move(tls)), owner_(owner) {}

SocketPipe::~SocketPipe() = default;

base::Status SocketPipe::start(bool is_client) {
  SKIFF_RETURN_IF_ERROR(
      socket_->watch(loop::Ready::readable, [this](loop::Ready ready) { on_ready(ready); }));
  is_watched_ = true;
  if (tls_ == nullptr) {
    owner_.on_established();
    return base::Status::ok();
  }
  if (is_client) {
    SKIFF_RETURN_IF_ERROR(tls_->start(cipher_out_));
    flush();
  }
  return base::Status::ok();
}

void SocketPipe::consume(std::size_t bytes) {
  SKIFF_ASSERT(bytes <= input_.size() - input_offset_);
  input_offset_ += bytes;
  if (input_offset_ == input_.size()) {
    release(input_);  // an idle connection holds no buffer
    input_offset_ = 0;
  } else if (input_offset_ >= kReceiveBytes) {
    input_.erase(0, input_offset_);
    input_offset_ = 0;
  }
  update_interest();
}

void SocketPipe::set_reading(bool reading) {
  reading_ = reading;
  update_interest();
}

void SocketPipe::update_interest() {
  if (!is_open() || !is_watched_) return;
  bool readable = !input_ended_ && ((reading_ && input().size() < kInputBufferedBytesMax) ||
                                    finishing_ || !is_established());
  socket_->set_interest(static_cast<loop::Ready>((readable ? 1 : 0) | (wants_write_ ? 2 : 0)));
}

void SocketPipe::on_ready(loop::Ready ready) {
  auto keep = owner_.keep_alive();
  if (loop::is_readable(ready)) on_readable();
  if (is_open() && loop::is_writable(ready)) flush();
}

void SocketPipe::on_readable() {
  if (input_ended_) {
    // A hang-up is reported whatever one waits for.
    if (!wants_write_) close(base::unavailable("connection closed by the peer"));
    return;
  }
  ssize_t size = socket_->read(scratch().received, kReceiveBytes);
  if (size > 0) {
    take(std::string_view(scratch().received, static_cast<std::size_t>(size)));
  } else if (size == 0) {
    end_input();
  } else if (errno != EAGAIN && errno != EINTR) {
    close(io_error(errno, "read"));
  }
}

void SocketPipe::take(std::string_view bytes) {
  if (finishing_ && is_established()) return;
  if (tls_ != nullptr) {
    take_cipher(bytes);
    return;
  }
  input_.append(bytes);
  owner_.on_input();
  if (is_open()) update_interest();
}

void SocketPipe::take_cipher(std::string_view bytes) {
  bool was_established = tls_->is_established();
  std::size_t before = input_.size();
  std::size_t replies_before = cipher_out_.size();
  auto status = tls_->receive(bytes, input_, cipher_out_);
  if (cipher_out_.size() > replies_before) flush();
  if (!is_open()) return;
  if (!was_established && tls_->is_established()) owner_.on_established();
  if (is_open() && input_.size() > before) owner_.on_input();
  if (!is_open()) return;
  if (!status.is_ok()) {
    if (tls_->saw_plain_http()) {
      static constexpr std::string_view kAnswer =
          "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
      send_now(kAnswer);
    }
    close(std::move(status));
  } else if (tls_->is_at_end()) {
    end_input();
  } else {
    update_interest();
  }
}

void SocketPipe::end_input() {
  if (input_ended_) return;
  input_ended_ = true;
  if (finished_) {
    close(base::Status::ok());
    return;
  }
  if (!is_established()) {
    close(base::unavailable("connection closed during the TLS handshake"));
    return;
  }
  update_interest();
  owner_.on_end_of_input();
}

void SocketPipe::send(base::SharedBytes bytes) {
  if (!is_open() || finishing_ || bytes.empty()) return;
  if (queued_bytes() == 0) last_progress_ = loop_.clock().monotonic();
  queued_bytes_ += bytes.size();
  queue_.push_back(std::move(bytes));
}

void SocketPipe::send(std::string_view bytes) { send(base::SharedBytes(bytes)); }

void SocketPipe::pop_sent(std::size_t bytes) {
  queued_bytes_ -= bytes;
  while (bytes > 0) {
    std::size_t left = queue_.front().size() - queue_offset_;
    if (bytes < left) {
      queue_offset_ += bytes;
      return;
    }
    bytes -= left;
    queue_offset_ = 0;
    queue_.pop_front();
  }
}

void SocketPipe::send_now(std::string_view bytes) {
  const iovec piece = piece_of(bytes);
  (void)socket_->write(&piece, 1);
}

bool SocketPipe::write_out(std::string_view& bytes) {
  while (!bytes.empty()) {
    const iovec piece = piece_of(bytes);
    ssize_t size = socket_->write(&piece, 1);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      if (errno != EAGAIN) close(io_error(errno, "write"));
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(size));
    last_progress_ = loop_.clock().monotonic();
  }
  return true;
}

// Moves up to `bytes` of the queue into `cipher`. Small pieces share a record.
bool SocketPipe::encrypt_slice(std::size_t bytes, std::string& cipher) {
  std::string& gathered = scratch().gathered;
  while (bytes > 0 && !queue_.empty()) {
    std::string_view first = queue_.front().view().substr(queue_offset_);
    base::Status status;
    std::size_t taken = 0;
    if (first.size() >= kTlsRecordBytes || queue_.size() == 1) {
      taken = std::min({first.size(), kTlsRecordBytes, bytes});
      status = tls_->encrypt(first.substr(0, taken), cipher);
    } else {
      gathered.assign(first);
      for (std::size_t i = 1; i < queue_.size() && gathered.size() < kTlsRecordBytes; ++i)
        gathered.append(queue_[i].view().substr(0, kTlsRecordBytes - gathered.size()));
      taken = std::min(gathered.size(), bytes);
      status = tls_->encrypt(std::string_view(gathered).substr(0, taken), cipher);
    }
    if (!status.is_ok()) {
      close(std::move(status));
      return false;
    }
    pop_sent(taken);
    bytes -= taken;
  }
  return true;
}

bool SocketPipe::flush_cipher(std::size_t& budget) {
  if (!cipher_out_.empty()) {
    std::string_view rest = cipher_out_;
    bool all = write_out(rest);
    if (!is_open()) return false;
    if (rest.empty())
      release(cipher_out_);
    else
      cipher_out_.erase(0, cipher_out_.size() - rest.size());
    if (!all) return false;
  }
  if (!tls_->is_established()) return true;
  std::string& cipher = scratch().cipher;
  while (!queue_.empty() && budget > 0) {
    std::size_t slice = std::min({budget, queued_bytes_, kTlsSliceBytes});
    budget -= slice;
    cipher.clear();
    if (!encrypt_slice(slice, cipher)) return false;
    std::string_view rest = cipher;
    bool all = write_out(rest);
    if (!is_open()) return false;
    if (!all) {
      cipher_out_.assign(rest);
      return false;
    }
  }
  return true;
}

bool SocketPipe::flush_plain(std::size_t& budget) {
  while (!queue_.empty() && budget > 0) {
    iovec pieces[kWritePiecesMax];
    std::size_t count = 0;
    std::size_t bytes = 0;
    for (const auto& entry : queue_) {
      if (count == kWritePiecesMax || bytes >= budget) break;
      std::string_view view = entry.view().substr(count == 0 ? queue_offset_ : 0);
      view = view.substr(0, budget - bytes);
      pieces[count++] = piece_of(view);
      bytes += view.size();
    }
    ssize_t size = socket_->write(pieces, count);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      if (errno != EAGAIN) close(io_error(errno, "write"));
      return false;
    }
    last_progress_ = loop_.clock().monotonic();
    pop_sent(static_cast<std::size_t>(size));
    budget -= static_cast<std::size_t>(size);
  }
  return true;
}

void SocketPipe::flush() {
  if (!is_open()) return;
  std::size_t before = queued_bytes();
  std::size_t budget = kWriteSliceBytes;
  if (tls_ != nullptr)
    (void)flush_cipher(budget);
  else
    (void)flush_plain(budget);
  if (!is_open()) return;
  std::size_t after = queued_bytes();
  wants_write_ = after > 0 && is_established();
  if (!cipher_out_.empty()) wants_write_ = true;
  if (after == 0 && finishing_ && !finished_) queue_closed();
  if (!is_open()) return;
  update_interest();
  if (after < before) owner_.on_sent();
}

void SocketPipe::finish() {
  if (!is_open() || finishing_) return;
  finishing_ = true;
  release(input_);
  input_offset_ = 0;
  flush();
}

// Everything is sent: tell the peer, then wait for it to close, so that no reset overtakes the
// last answer.
void SocketPipe::queue_closed() {
  finished_ = true;
  if (tls_ != nullptr) {
    std::string alert;
    tls_->close(alert);
    if (!alert.empty()) send_now(alert);
  }
  socket_->shut_down();
  if (input_ended_) close(base::Status::ok());
}

void SocketPipe::close(base::Status why) {
  if (!is_open()) return;
  socket_.reset();
  queue_.clear();
  queued_bytes_ = 0;
  queue_offset_ = 0;
  release(cipher_out_);
  wants_write_ = false;
  owner_.on_closed(std::move(why));
}

}  // namespace skiff::http
