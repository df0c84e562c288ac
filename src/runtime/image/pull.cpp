#include "runtime/image/pull.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/sys/features.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "runtime/image/manifest.h"
#include "runtime/image/sha256.h"
#include "runtime/limits.h"

namespace skiff::runtime {

using base::concat;

struct Puller::Running {
  std::optional<base::Result<Image>> result;
};

base::Result<Image> Puller::pull(const ImageReference& reference,
                                 const std::vector<RegistryAuth>& credentials,
                                 base::CancelToken cancel) {
  // Who may pull is part of what is asked: a refusal of one is no answer for another.
  std::string key = reference.to_string();
  for (const auto& auth : credentials)
    key += concat(
        "\n", sha256_hex(concat(auth.username, "\n", auth.password, "\n", auth.identity_token)));
  base::CancelCallback wake(cancel, [this] {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
  });
  std::unique_lock lock(mutex_);
  for (;;) {
    if (cancel.is_cancelled()) return base::cancelled("the pull was cancelled");
    auto found = running_.find(key);
    if (found == running_.end()) break;
    auto other = found->second;
    changed_.wait(lock, [&] { return other->result || cancel.is_cancelled(); });
    // The one who did the work may have been told to stop; then it is our turn.
    if (other->result && other->result->code() != base::Code::cancelled) return *other->result;
  }
  auto own = std::make_shared<Running>();
  running_[key] = own;
  lock.unlock();
  auto result = pull_once(reference, credentials, cancel).with_context(reference.to_string());
  lock.lock();
  own->result = result;
  running_.erase(key);
  changed_.notify_all();
  lock.unlock();
  return result;
}

base::Result<Image> Puller::pull_once(const ImageReference& reference,
                                      const std::vector<RegistryAuth>& credentials,
                                      const base::CancelToken& cancel) {
  base::Status last;
  for (const auto& endpoint : registries_.endpoints(reference.registry)) {
    const RegistryHost& host = registries_.host(endpoint.host);
    // A mirror gets only what is configured for it.
    std::vector<RegistryAuth> usable;
    if (!endpoint.is_mirror) usable = credentials;
    if (!host.auth.username.empty() || !host.auth.identity_token.empty())
      usable.push_back(host.auth);
    RegistryClient client(endpoint, host, reference.registry, reference.repository,
                          std::move(usable), cancel, send_);
    auto image = pull_from(client, reference, cancel);
    if (image.is_ok() || image.code() == base::Code::cancelled) return image;
    last = image.status();
    base::log_debug("registry does not give the image",
                    {{"endpoint", endpoint.url}, {"error", last}});
  }
  return last;
}

base::Result<Image> Puller::pull_from(RegistryClient& client, const ImageReference& reference,
                                      const base::CancelToken& cancel) {
  SKIFF_ASSIGN_OR_RETURN(
      auto top, client.fetch_manifest(reference.digest.empty() ? reference.tag : reference.digest));
  SKIFF_ASSIGN_OR_RETURN(auto manifest, parse_manifest(top.text));
  for (int depth = 0; manifest.is_index; ++depth) {
    if (depth == kIndexDepthMax) return base::invalid_argument("image indexes are nested too deep");
    const Descriptor* entry =
        choose_platform(manifest.manifests, sys::machine_architecture(), sys::machine_variant());
    if (entry == nullptr)
      return base::not_found(
          concat("no match for platform in manifest: linux/", sys::machine_architecture()));
    std::string digest = entry->digest;
    SKIFF_ASSIGN_OR_RETURN(auto inner, client.fetch_manifest(digest));
    SKIFF_ASSIGN_OR_RETURN(manifest, parse_manifest(inner.text));
  }
  SKIFF_ASSIGN_OR_RETURN(auto config_text,
                         client.fetch_small_blob(manifest.config, kConfigBytesMax));
  SKIFF_ASSIGN_OR_RETURN(auto config, parse_image_config(config_text));
  if (config.diff_ids.size() != manifest.layers.size())
    return base::invalid_argument("manifest and config disagree about the layers");
  ImageRecord record;
  record.image.id = manifest.config.digest;
  record.image.config = std::move(config.config);
  record.diff_ids = std::move(config.diff_ids);
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    record.image.size_bytes += manifest.layers[i].size;
    SKIFF_RETURN_IF_ERROR(fetch_layer(client, manifest.layers[i], record.diff_ids[i], cancel));
  }
  record.image.digests.push_back(
      concat(reference.registry, "/", reference.repository, "@", top.digest));
  if (reference.digest.empty()) record.image.names.push_back(reference.to_string());
  SKIFF_RETURN_IF_ERROR(store_.save(record));
  SKIFF_ASSIGN_OR_RETURN(auto saved, store_.load(record.image.id));
  return std::move(saved.image);
}

base::Status Puller::fetch_layer(RegistryClient& client, const Descriptor& layer,
                                 const std::string& diff_id, const base::CancelToken& cancel) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock,
                  [&] { return busy_layers_.count(layer.digest) == 0 || cancel.is_cancelled(); });
    if (cancel.is_cancelled()) return base::cancelled("the pull was cancelled");
    busy_layers_.insert(layer.digest);
  }
  auto fetch = [&]() -> base::Status {
    if (store_.has_layer(diff_id)) return {};
    std::string path = store_.blob_path(layer.digest);
    SKIFF_RETURN_IF_ERROR(client.fetch_blob(layer, path));
    base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return base::errno_status(errno, path);
    auto status = store_.add_layer(fd.get(), diff_id);
    // Kept after an error of ours (a full disk), so that it is not fetched again.
    bool is_useless = status.is_ok() || status.code() == base::Code::data_loss ||
                      status.code() == base::Code::invalid_argument ||
                      status.code() == base::Code::too_large;
    if (is_useless) unlink(path.c_str());
    return status.with_context(layer.digest);
  };
  auto status = fetch();
  std::lock_guard lock(mutex_);
  busy_layers_.erase(layer.digest);
  changed_.notify_all();
  return status;
}

}  // namespace skiff::runtime
