#include <skiff/loop/network.h>

#include <sys/socket.h>
#include <sys/uio.h>

namespace skiff::loop {

namespace {

class FdSocket final : public Socket {
 public:
  FdSocket(Loop& loop, base::UniqueFd fd) : loop_(loop), fd_(std::move(fd)) {}

  base::Status watch(Ready interest, FdCallback callback) override {
    SKIFF_ASSIGN_OR_RETURN(watch_, loop_.watch_fd(fd_.get(), interest, std::move(callback)));
    return base::Status::ok();
  }
  void set_interest(Ready interest) override { watch_->set_interest(interest); }
  ssize_t read(char* out, std::size_t size) override { return ::recv(fd_.get(), out, size, 0); }
  ssize_t write(const iovec* pieces, std::size_t count) override {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces);
    message.msg_iovlen = count;
    return ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
  }
  void shut_down() override { ::shutdown(fd_.get(), SHUT_WR); }

 private:
  Loop& loop_;
  base::UniqueFd fd_;
  std::unique_ptr<FdWatch> watch_;  // goes before the descriptor
};

}  // namespace

std::unique_ptr<Socket> make_fd_socket(Loop& loop, base::UniqueFd fd) {
  return std::make_unique<FdSocket>(loop, std::move(fd));
}

Network* network_of(Loop& loop) { return dynamic_cast<Network*>(&loop); }

}  // namespace skiff::loop
