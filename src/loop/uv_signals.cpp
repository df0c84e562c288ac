#include <skiff/loop/signals.h>

#include <skiff/base/strings.h>

#include "loop/uv_loop.h"

namespace skiff::loop {

namespace {

struct SignalHandle {
  uv_signal_t signal{};
  base::UniqueFunction<void()> callback;
};

class UvSignalWatch final : public SignalWatch {
 public:
  explicit UvSignalWatch(SignalHandle* handle) : handle_(handle) {}
  ~UvSignalWatch() override {
    uv_signal_stop(&handle_->signal);
    uv_close(reinterpret_cast<uv_handle_t*>(&handle_->signal),
             [](uv_handle_t* h) { delete static_cast<SignalHandle*>(h->data); });
  }

 private:
  SignalHandle* handle_;
};

}  // namespace

base::Result<std::unique_ptr<SignalWatch>> watch_signal(Loop& loop, int signal_number,
                                                        base::UniqueFunction<void()> callback) {
  auto handle = std::make_unique<SignalHandle>();
  handle->callback = std::move(callback);
  handle->signal.data = handle.get();
  uv_signal_init(static_cast<UvLoop&>(loop).uv(), &handle->signal);
  int error = uv_signal_start(
      &handle->signal,
      [](uv_signal_t* signal, int) { static_cast<SignalHandle*>(signal->data)->callback(); },
      signal_number);
  auto watch = std::make_unique<UvSignalWatch>(handle.release());
  if (error != 0) return base::errno_status(-error, base::concat("watch signal ", signal_number));
  return std::unique_ptr<SignalWatch>(std::move(watch));
}

}  // namespace skiff::loop
