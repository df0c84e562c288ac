#include <skiff/sys/features.h>

#include <skiff/base/strings.h>
#include <skiff/sys/files.h>

#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>

#include "sys/limits.h"

namespace skiff::sys {
namespace {

int leading_number(std::string_view text, std::size_t& at) {
  int value = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9' && value < 100'000)
    value = value * 10 + (text[at++] - '0');
  return value;
}

std::string machine() {
  utsname name{};
  return uname(&name) == 0 ? name.machine : "";
}

}  // namespace

KernelVersion parse_kernel_version(const std::string& release) {
  std::size_t at = 0;
  int major = leading_number(release, at);
  if (at == 0 || at >= release.size() || release[at] != '.') return {};
  return {major, leading_number(release, ++at)};
}

KernelVersion kernel_version() {
  utsname name{};
  return uname(&name) == 0 ? parse_kernel_version(name.release) : KernelVersion{};
}

bool has_file_system(const std::string& name) {
  if (path_exists(base::concat("/sys/module/", name))) return true;
  auto text = read_file("/proc/filesystems", kProcFileBytesMax);
  if (!text.is_ok()) return false;
  for (auto line : base::split(*text, '\n')) {
    std::size_t tab = line.rfind('\t');
    if (tab != std::string_view::npos && line.substr(tab + 1) == name) return true;
  }
  return false;
}

bool has_namespace(const std::string& kind) {
  return path_exists(base::concat("/proc/self/ns/", kind));
}

std::string find_program(const std::string& name) {
  auto is_program = [](const std::string& path) {
    struct stat info {};
    return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
           access(path.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) return is_program(name) ? name : "";
  const char* search = getenv("PATH");
  for (auto folder :
       base::split(search != nullptr ? search : "/usr/sbin:/usr/bin:/sbin:/bin", ':')) {
    std::string path = base::concat(folder.empty() ? "." : folder, "/", name);
    if (is_program(path)) return path;
  }
  return "";
}

std::string machine_architecture() {
  std::string name = machine();
  if (name == "x86_64") return "amd64";
  if (name == "aarch64") return sizeof(void*) == 4 ? "arm" : "arm64";
  if (base::starts_with(name, "arm")) return "arm";
  if (name == "i686" || name == "i386") return "386";
  return name;
}

std::string machine_variant() {
  std::string architecture = machine_architecture();
  if (architecture == "arm64") return "v8";
  if (architecture != "arm") return "";
  return base::starts_with(machine(), "armv6") ? "v6" : "v7";
}

}  // namespace skiff::sys
