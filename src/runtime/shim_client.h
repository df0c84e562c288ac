// Asking a shim. Thread-safe: every request has a connection of its own.
#pragma once

#include <skiff/base/result.h>
#include <skiff/base/unique_fd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/shim/message.h"

namespace skiff::runtime {

class ShimRequest {
 public:
  explicit ShimRequest(shim_type type) { shim_begin(&builder_, type); }
  ShimRequest& text(shim_tag tag, std::string_view value) {
    shim_add(&builder_, tag, value.data(), value.size());
    return *this;
  }
  ShimRequest& number(shim_tag tag, std::uint64_t value) {
    shim_add_number(&builder_, tag, value);
    return *this;
  }
  ShimRequest& arguments(const std::vector<std::string>& argv) {
    for (const auto& word : argv) text(SHIM_TAG_ARG, word);
    return *this;
  }
  bool is_too_large() const { return builder_.overflow != 0; }
  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(builder_.bytes), builder_.length};
  }

 private:
  shim_builder builder_;
};

struct ShimReply {
  int type = 0;
  int pid = 0;
  unsigned flags = 0;
  int status = 0;
  std::string id, text;
  std::vector<base::UniqueFd> descriptors;
};

// `folder` holds the socket "shim.sock". Errors: not_found, unavailable (no shim listens).
base::Result<base::UniqueFd> listen_shim(const std::string& folder);
base::Result<base::UniqueFd> connect_shim(const std::string& folder);
base::Status send_shim(int fd, const ShimRequest& request,
                       const std::vector<int>& descriptors = {});
// nullopt-like: type 0 when the shim has closed. Errors: deadline_exceeded, data_loss.
base::Result<ShimReply> receive_shim(int fd, int timeout_ms);
// One question, one answer. SHIM_ERROR becomes: internal with its text, and reply.status in
// `*status` when that is not null.
base::Result<ShimReply> ask_shim(const std::string& folder, const ShimRequest& request,
                                 const std::vector<int>& descriptors, int timeout_ms,
                                 int* status = nullptr);

// A socket at `path` that gets a terminal's master from the OCI runtime.
base::Result<base::UniqueFd> listen_console(const std::string& path);
base::Result<base::UniqueFd> receive_console(int listen_fd, int timeout_ms);

}  // namespace skiff::runtime
