#include "apiserver/legacy_token_labels.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

namespace skiff::apiserver {

using codec::Json;

void LegacyTokenLabels::note(auth::LegacyTokenUse use) {
  std::string uid = use.secret_uid;
  {
    std::lock_guard lock(mutex_);
    if (!noted_.insert(uid).second) return;
  }
  if (!uses_.try_push(std::move(use))) forget(uid);
}

void LegacyTokenLabels::forget(const std::string& secret_uid) {
  std::lock_guard lock(mutex_);
  noted_.erase(secret_uid);
}

base::Task<void> LegacyTokenLabels::run(client::Client& client, base::CancelToken cancel) {
  for (;;) {
    auto use = co_await uses_.pop(cancel);
    if (!use) co_return;
    Json metadata = Json::object(
        {{"uid", use->secret_uid},
         {"labels", Json::object({{"kubernetes.io/legacy-token-last-used", use->day}})}});
    auto patching =
        client.patch(client::resources::secrets, use->namespace_name, use->secret,
                     client::PatchType::merge, Json::object({{"metadata", std::move(metadata)}}));
    auto patched = co_await std::move(patching);
    if (!patched.is_ok()) {
      base::log_warning("the day of a token's last use was not written",
                        {{"secret", base::concat(use->namespace_name, "/", use->secret)},
                         {"error", patched.status()}});
    }
    forget(use->secret_uid);
  }
}

}  // namespace skiff::apiserver
