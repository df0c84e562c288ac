#include <skiff/runtime/image.h>

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/http/client.h>

#include <algorithm>

#include "runtime/image/archive_import.h"
#include "runtime/image/manifest.h"
#include "runtime/image/pull.h"
#include "runtime/image/registries.h"
#include "runtime/image/store.h"

namespace skiff::runtime {
namespace {

using base::concat;

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool matches(const Image& image, const ImageReference& reference) {
  if (!reference.digest.empty())
    return contains(image.digests,
                    concat(reference.registry, "/", reference.repository, "@", reference.digest));
  return contains(image.names, reference.to_string());
}

// Thread-safe: all state is in the store, which other processes change too.
class LocalImageService final : public ImageService {
 public:
  LocalImageService(const ImageServiceOptions& options, Registries registries)
      : store_(options.data_dir), puller_(store_, std::move(registries), http::send_blocking) {}

  base::Status open() { return store_.open(); }

  base::Result<Image> find(std::string_view reference_or_id) override {
    if (is_digest(reference_or_id)) {
      SKIFF_ASSIGN_OR_RETURN(auto record, store_.load(reference_or_id));
      return std::move(record.image);
    }
    SKIFF_ASSIGN_OR_RETURN(auto reference, parse_image_reference(reference_or_id));
    for (auto& record : store_.list())
      if (matches(record.image, reference)) return std::move(record.image);
    return base::not_found(concat("image ", base::quote(reference_or_id), " is not here"));
  }

  std::vector<Image> list() override {
    std::vector<Image> images;
    for (auto& record : store_.list()) images.push_back(std::move(record.image));
    return images;
  }

  base::Result<Image> pull(std::string_view reference, const std::vector<RegistryAuth>& credentials,
                           base::CancelToken cancel) override {
    SKIFF_ASSIGN_OR_RETURN(auto parsed, parse_image_reference(reference));
    return puller_.pull(parsed, credentials, cancel);
  }

  base::Result<std::vector<Image>> import(const std::string& path) override {
    SKIFF_ASSIGN_OR_RETURN(auto records, import_images(store_, path));
    std::vector<Image> images;
    for (auto& record : records) {
      base::log_info("image imported",
                     {{"id", record.image.id}, {"names", base::join(record.image.names, ",")}});
      images.push_back(std::move(record.image));
    }
    return images;
  }

  base::Status remove(std::string_view id) override {
    if (!is_digest(id)) return base::not_found(concat("image ", base::quote(id), " is not here"));
    return store_.remove(id);
  }

  std::int64_t bytes_used() const override { return store_.bytes_used(); }

 private:
  ImageStore store_;
  Puller puller_;
};

}  // namespace

base::Result<std::unique_ptr<ImageService>> make_image_service(const ImageServiceOptions& options) {
  SKIFF_ASSIGN_OR_RETURN(auto registries, load_registries(options.registries_file));
  auto service = std::make_unique<LocalImageService>(options, std::move(registries));
  SKIFF_RETURN_IF_ERROR(service->open());
  return std::unique_ptr<ImageService>(std::move(service));
}

}  // namespace skiff::runtime
