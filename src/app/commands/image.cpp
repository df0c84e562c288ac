#include <skiff/base/strings.h>
#include <skiff/codec/json.h>
#include <skiff/runtime/image.h>

#include "app/commands/command_list.h"

#include <algorithm>
#include <cstdio>

namespace skiff::app {

namespace {

base::Result<std::unique_ptr<runtime::ImageService>> open_images(const Invocation& invocation) {
  SKIFF_ASSIGN_OR_RETURN(Config config, config_of(invocation));
  runtime::ImageServiceOptions options;
  options.data_dir = config.data_dir;
  options.registries_file = std::string(kRegistriesFile);
  return runtime::make_image_service(options);
}

std::string size_text(std::int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(kUnits)) value /= 1000, ++unit;
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, unit == 0 ? "%.0f%s" : "%.1f%s", value, kUnits[unit]);
  return buffer;
}

// "sha256:" and twelve digits are enough to tell images apart.
std::string short_id(const std::string& id) {
  constexpr std::size_t kPrefix = 7, kDigits = 12;
  return id.substr(std::min(id.size(), kPrefix), kDigits);
}

void print_row(const std::string& name, const std::string& id, const std::string& size) {
  std::printf("%-56s  %-12s  %s\n", name.c_str(), id.c_str(), size.c_str());
}

codec::Json image_json(const runtime::Image& image) {
  codec::Json names = codec::Json::array(), digests = codec::Json::array();
  for (const auto& name : image.names) names.push_back(name);
  for (const auto& digest : image.digests) digests.push_back(digest);
  return codec::Json::object({{"id", image.id},
                              {"names", names},
                              {"digests", digests},
                              {"sizeBytes", static_cast<long long>(image.size_bytes)},
                              {"pinned", image.pinned}});
}

}  // namespace

int run_image_import(const Invocation& invocation) {
  auto images = open_images(invocation);
  if (!images) return fail(images.status());
  for (const auto& path : invocation.arguments) {
    auto imported = (*images)->import(path);
    if (!imported) {
      fail(imported.status().with_context(base::concat("import ", path)));
      return 1;
    }
    for (const auto& image : *imported)
      std::printf("imported %s (%s)\n",
                  image.names.empty() ? image.id.c_str() : image.names.front().c_str(),
                  size_text(image.size_bytes).c_str());
  }
  return 0;
}

int run_image_list(const Invocation& invocation) {
  auto images = open_images(invocation);
  if (!images) return fail(images.status());
  auto list = (*images)->list();
  if (invocation.json) {
    codec::Json out = codec::Json::array();
    for (const auto& image : list) out.push_back(image_json(image));
    std::printf("%s\n", codec::write_json_pretty(out).c_str());
    return 0;
  }
  print_row("NAME", "ID", "SIZE");
  for (const auto& image : list) {
    const auto& names = image.names.empty() ? image.digests : image.names;
    for (const auto& name : names) print_row(name, short_id(image.id), size_text(image.size_bytes));
    if (names.empty()) print_row("<none>", short_id(image.id), size_text(image.size_bytes));
  }
  return 0;
}

}  // namespace skiff::app
