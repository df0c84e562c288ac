// Images from registries.
#pragma once

#include <skiff/base/cancel.h>
#include <skiff/base/result.h>
#include <skiff/runtime/image.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "runtime/image/registries.h"
#include "runtime/image/registry_client.h"
#include "runtime/image/store.h"

namespace skiff::runtime {

// Thread-safe. Pulls of one image share the work, and so do images that share a layer.
class Puller {
 public:
  Puller(ImageStore& store, Registries registries, SendFunction send)
      : store_(store), registries_(std::move(registries)), send_(std::move(send)) {}

  base::Result<Image> pull(const ImageReference& reference,
                           const std::vector<RegistryAuth>& credentials, base::CancelToken cancel);

 private:
  struct Running;
  base::Result<Image> pull_once(const ImageReference& reference,
                                const std::vector<RegistryAuth>& credentials,
                                const base::CancelToken& cancel);
  base::Result<Image> pull_from(RegistryClient& client, const ImageReference& reference,
                                const base::CancelToken& cancel);
  base::Status fetch_layer(RegistryClient& client, const Descriptor& layer,
                           const std::string& diff_id, const base::CancelToken& cancel);

  ImageStore& store_;
  const Registries registries_;
  SendFunction send_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<Running>> running_;
  std::set<std::string> busy_layers_;
};

}  // namespace skiff::runtime
