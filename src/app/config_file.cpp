#include <skiff/app/config.h>
#include <skiff/base/strings.h>
#include <skiff/codec/yaml.h>

#include "app/limits.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace skiff::app {

namespace {

namespace fs = std::filesystem;

const Setting* find_setting(std::string_view name) {
  for (const auto& setting : run_settings())
    if (setting.name == name) return &setting;
  return nullptr;
}

base::Result<std::string> read_text(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return base::errno_status(errno, base::concat("read ", path));
  std::string text(kConfigFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kConfigFileBytesMax)
    return base::Status(base::Code::too_large, base::concat(path, " is over ", kConfigFileBytesMax,
                                                            " bytes, too large for a config file"));
  return text;
}

base::Result<std::string> scalar_text(const codec::Json& value) {
  if (value.is_string()) return std::string(value.as_string());
  if (value.is_int()) return std::to_string(value.as_int());
  if (value.is_bool()) return std::string(value.as_bool() ? "true" : "false");
  return base::invalid_argument("expected a text, a number or a list of them");
}

void split_list(std::string_view text, std::vector<std::string>& out) {
  for (auto part : base::split(text, ','))
    if (auto value = base::trim(part); !value.empty()) out.emplace_back(value);
}

base::Result<std::vector<std::string>> setting_values(const Setting& setting,
                                                      const codec::Json& value) {
  std::vector<std::string> values;
  if (setting.is_list && value.is_array()) {
    for (const auto& item : value.items()) {
      SKIFF_ASSIGN_OR_RETURN(std::string text, scalar_text(item));
      values.push_back(std::move(text));
    }
    return values;
  }
  SKIFF_ASSIGN_OR_RETURN(std::string text, scalar_text(value));
  if (setting.is_list)
    split_list(text, values);
  else
    values.push_back(std::move(text));
  return values;
}

// Where a value comes from is known only here, so here it is tried.
base::Status take_setting(const Setting& setting, const codec::Json& value, Settings& settings) {
  SKIFF_ASSIGN_OR_RETURN(auto values, setting_values(setting, value));
  Config scratch;
  if (!values.empty()) SKIFF_RETURN_IF_ERROR(setting.apply(scratch, values));
  settings.insert_or_assign(std::string(setting.name), std::move(values));
  return base::Status::ok();
}

base::Status read_one(const std::string& path, Settings& settings) {
  SKIFF_ASSIGN_OR_RETURN(std::string text, read_text(path));
  auto document = codec::parse_yaml(text);
  if (!document) return document.status().with_context(path);
  if (document->is_null()) return base::Status::ok();
  if (!document->is_object())
    return base::invalid_argument(base::concat(path, ": expected settings as \"name: value\""));
  for (const auto& member : document->members()) {
    const Setting* setting = find_setting(member.key);
    if (setting == nullptr)
      return base::invalid_argument(base::concat(
          path, ": unknown setting ", base::quote(member.key), "; 'skiff run --help' lists them"));
    auto taken = take_setting(*setting, member.value, settings);
    if (!taken.is_ok()) return taken.with_context(base::concat(path, ": ", member.key));
  }
  return base::Status::ok();
}

std::vector<std::string> drop_ins(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

base::Result<Settings> read_config_files(const std::string& path, bool is_required) {
  Settings settings;
  std::error_code error;
  if (is_required || fs::exists(path, error)) SKIFF_RETURN_IF_ERROR(read_one(path, settings));
  for (const auto& file : drop_ins(path + ".d")) SKIFF_RETURN_IF_ERROR(read_one(file, settings));
  return settings;
}

base::Result<Settings> read_environment(const char* const* environment) {
  constexpr std::string_view kPrefix = "SKIFF_";
  Settings settings;
  for (; *environment != nullptr; ++environment) {
    std::string_view entry(*environment);
    std::size_t equals = entry.find('=');
    if (!base::starts_with(entry, kPrefix) || equals == entry.npos) continue;
    std::string name = base::to_lower(entry.substr(kPrefix.size(), equals - kPrefix.size()));
    std::replace(name.begin(), name.end(), '_', '-');
    if (name == "config") continue;  // the config file itself
    const Setting* setting = find_setting(name);
    if (setting == nullptr)
      return base::invalid_argument(
          base::concat("environment variable ", entry.substr(0, equals),
                       " names no setting; 'skiff run --help' lists them"));
    auto taken = take_setting(*setting, codec::Json(entry.substr(equals + 1)), settings);
    if (!taken.is_ok())
      return taken.with_context(base::concat("environment variable ", entry.substr(0, equals)));
  }
  return settings;
}

}  // namespace skiff::app
