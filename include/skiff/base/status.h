// Errors are values: a code for programs, a sentence for people.
//
// A Status is cheap when it is ok (one null pointer) and carries a message otherwise. Wrap it with
// `with_context` when a caller knows more; never compare messages.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace skiff::base {

enum class Code : unsigned char {
  ok,
  invalid_argument,   // the caller's input is wrong; trying again will not help
  not_found,          // the named thing does not exist
  already_exists,     // the named thing exists and must not
  conflict,           // a precondition on the current version failed; read again, then try again
  expired,            // the asked-for past is gone (a watch window, a continue token)
  unauthenticated,    // who is asking is not known
  permission_denied,  // who is asking may not
  too_large,          // the input is over a limit
  too_many_requests,  // a bounded queue or budget is full; try again later
  unavailable,        // a part is away, or the disk refuses writes; try again later
  deadline_exceeded,  // no answer within the time allowed
  cancelled,          // the caller, or a stop, ended it
  data_loss,          // stored bytes are damaged
  unimplemented,      // a known feature that this build does not have
  internal,           // a defect of ours, or an answer of the system that nothing explains
};

// The lower-case name of a code ("not_found"); static storage.
std::string_view code_name(Code code) noexcept;

// Immutable once built; copying shares the message. Thread-compatible.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;  // ok
  Status(Code code, std::string message);

  static Status ok() noexcept { return {}; }

  bool is_ok() const noexcept { return rep_ == nullptr; }
  explicit operator bool() const noexcept { return is_ok(); }
  Code code() const noexcept { return rep_ ? rep_->code : Code::ok; }
  // The sentence, outermost context first ("pull busybox: connect 127.0.0.1:5000: refused").
  std::string_view message() const noexcept {
    return rep_ ? std::string_view(rep_->message) : std::string_view();
  }
  // "not_found: the sentence", for logs.
  std::string to_string() const;

  // The same code with "context: " before the message; ok stays ok.
  Status with_context(std::string_view context) const;

 private:
  struct Rep {
    Code code;
    std::string message;
  };
  std::shared_ptr<const Rep> rep_;
};

// One maker per code that modules use often.
Status invalid_argument(std::string message);
Status not_found(std::string message);
Status already_exists(std::string message);
Status conflict(std::string message);
Status unavailable(std::string message);
Status cancelled(std::string message);
Status internal_error(std::string message);

// A Status from errno: "<what>: <strerror>". ENOENT maps to not_found, EEXIST to already_exists,
// EACCES and EPERM to permission_denied, ENOSPC, EROFS, EDQUOT and EAGAIN to unavailable,
// ETIMEDOUT to deadline_exceeded, EINVAL to invalid_argument, everything else to internal.
Status errno_status(int error_number, std::string_view what);

}  // namespace skiff::base
