#include <skiff/base/status.h>

#include <skiff/base/assert.h>
#include <skiff/base/strings.h>

#include <cerrno>
#include <cstring>

namespace skiff::base {

std::string_view code_name(Code code) noexcept {
  switch (code) {
    case Code::ok: return "ok";
    case Code::invalid_argument: return "invalid_argument";
    case Code::not_found: return "not_found";
    case Code::already_exists: return "already_exists";
    case Code::conflict: return "conflict";
    case Code::expired: return "expired";
    case Code::unauthenticated: return "unauthenticated";
    case Code::permission_denied: return "permission_denied";
    case Code::too_large: return "too_large";
    case Code::too_many_requests: return "too_many_requests";
    case Code::unavailable: return "unavailable";
    case Code::deadline_exceeded: return "deadline_exceeded";
    case Code::cancelled: return "cancelled";
    case Code::data_loss: return "data_loss";
    case Code::unimplemented: return "unimplemented";
    case Code::internal: return "internal";
  }
  return "unknown";
}

Status::Status(Code code, std::string message) {
  SKIFF_ASSERT(code != Code::ok);
  rep_ = std::make_shared<const Rep>(Rep{code, std::move(message)});
}

std::string Status::to_string() const {
  if (is_ok()) return "ok";
  return concat(code_name(code()), ": ", message());
}

Status Status::with_context(std::string_view context) const {
  if (is_ok()) return *this;
  return Status(code(), concat(context, ": ", message()));
}

Status invalid_argument(std::string message) {
  return Status(Code::invalid_argument, std::move(message));
}
Status not_found(std::string message) { return Status(Code::not_found, std::move(message)); }
Status already_exists(std::string message) {
  return Status(Code::already_exists, std::move(message));
}
Status conflict(std::string message) { return Status(Code::conflict, std::move(message)); }
Status unavailable(std::string message) { return Status(Code::unavailable, std::move(message)); }
Status cancelled(std::string message) { return Status(Code::cancelled, std::move(message)); }
Status internal_error(std::string message) { return Status(Code::internal, std::move(message)); }

namespace {
Code code_of_errno(int error_number) {
  switch (error_number) {
    case ENOENT: return Code::not_found;
    case EEXIST: return Code::already_exists;
    case EACCES:
    case EPERM: return Code::permission_denied;
    case ENOSPC:
    case EROFS:
    case EDQUOT:
    case EAGAIN: return Code::unavailable;
    case ETIMEDOUT: return Code::deadline_exceeded;
    case EINVAL: return Code::invalid_argument;
    default: return Code::internal;
  }
}
}  // namespace

Status errno_status(int error_number, std::string_view what) {
  char buffer[128];
  const char* text = strerror_r(error_number, buffer, sizeof buffer);
  return Status(code_of_errno(error_number), concat(what, ": ", text));
}

}  // namespace skiff::base
