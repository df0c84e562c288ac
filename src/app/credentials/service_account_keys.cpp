#include "app/credentials/service_account_keys.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>
#include <skiff/loop/work_pool.h>
#include <skiff/pki/certificate.h>
#include <skiff/pki/token.h>
#include <skiff/sys/files.h>

#include "app/credentials/key_files.h"
#include "app/limits.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>

namespace skiff::app {

namespace {

constexpr std::string_view kSigningFile = "/service-account.key";
constexpr std::string_view kOldPrefix = "service-account-old-", kOldSuffix = ".pub";

bool is_old_key(std::string_view file) {
  return base::starts_with(file, kOldPrefix) && base::ends_with(file, kOldSuffix);
}

base::Result<base::UniqueFd> watch_folder(const std::string& folder) {
  base::UniqueFd fd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd) return base::errno_status(errno, "inotify");
  constexpr std::uint32_t kEvents = IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM;
  if (inotify_add_watch(fd.get(), folder.c_str(), kEvents) < 0)
    return base::errno_status(errno, base::concat("watch ", folder));
  return fd;
}

void drain(int fd) {
  char events[4096];
  while (read(fd, events, sizeof events) > 0) {
  }
}

}  // namespace

base::Result<std::vector<std::string>> read_older_service_account_keys(const std::string& folder) {
  std::vector<std::string> keys;
  SKIFF_ASSIGN_OR_RETURN(auto files, sys::list_folder(folder));
  for (const auto& file : files) {
    if (!is_old_key(file)) continue;
    SKIFF_ASSIGN_OR_RETURN(auto pem,
                           sys::read_file(base::concat(folder, "/", file), kKeyFileBytesMax));
    keys.push_back(std::move(pem));
  }
  return keys;
}

base::Result<auth::TokenKeys> read_service_account_keys(const std::string& folder) {
  auth::TokenKeys keys;
  SKIFF_ASSIGN_OR_RETURN(keys.signing_key,
                         sys::read_file(base::concat(folder, kSigningFile), kKeyFileBytesMax));
  SKIFF_ASSIGN_OR_RETURN(keys.older_keys, read_older_service_account_keys(folder));
  return keys;
}

base::Result<RotatedKey> rotate_service_account_key(const std::string& folder) {
  SKIFF_ASSIGN_OR_RETURN(const std::string present,
                         read_or_empty(base::concat(folder, kSigningFile)));
  if (present.empty())
    return base::not_found(base::concat("there is no key of tokens in ", folder,
                                        "; run this on a master, with its --data-dir"));
  SKIFF_ASSIGN_OR_RETURN(auto lock, sys::lock_file(folder + "/service-account.lock"));
  SKIFF_ASSIGN_OR_RETURN(auto keys, read_service_account_keys(folder));
  RotatedKey rotated;
  rotated.older_keys = keys.older_keys.size() + 1;
  if (rotated.older_keys > kOlderServiceAccountKeysMax) {
    return base::Status(
        base::Code::too_many_requests,
        base::concat("there are ", keys.older_keys.size(), " older keys; delete files ", folder,
                     "/", kOldPrefix, "*", kOldSuffix, " whose tokens nobody uses any more"));
  }
  SKIFF_ASSIGN_OR_RETURN(auto verifier, pki::make_token_verifier(keys.signing_key));
  SKIFF_ASSIGN_OR_RETURN(auto public_key, pki::public_key_of(keys.signing_key));
  SKIFF_ASSIGN_OR_RETURN(auto fresh, pki::make_private_key());
  SKIFF_ASSIGN_OR_RETURN(auto signer, pki::make_token_signer(fresh));
  rotated.id = signer->key_id();
  const auto old_file = base::concat(folder, "/", kOldPrefix, verifier->key_id(), kOldSuffix);
  SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(old_file, public_key, kCertificateMode));
  SKIFF_RETURN_IF_ERROR(
      sys::write_file_atomic(base::concat(folder, kSigningFile), fresh, kKeyMode));
  return rotated;
}

base::Task<void> follow_service_account_keys(std::string folder, loop::Loop& loop,
                                             base::Executor& blocking,
                                             auth::ServiceAccountTokens& tokens,
                                             base::CancelToken cancel) {
  auto fd = watch_folder(folder);
  if (!fd) {
    base::log_warning("changed keys of tokens are read at the next start",
                      {{"error", fd.status()}});
    co_return;
  }
  for (;;) {
    auto ready = co_await loop::wait_fd(loop, fd->get(), loop::Ready::readable, cancel);
    if (!ready || !*ready) co_return;
    // Several files change together.
    const bool slept = co_await base::sleep(loop, kKeyFilesSettle, cancel);
    if (!slept) co_return;
    drain(fd->get());
    auto read_keys = [folder] { return read_service_account_keys(folder); };
    auto keys = co_await loop::run_blocking(blocking, std::move(read_keys));
    auto replaced = keys ? tokens.replace_keys(*keys) : keys.status();
    if (!replaced) base::log_error("the keys of tokens stay as they were", {{"error", replaced}});
  }
}

}  // namespace skiff::app
