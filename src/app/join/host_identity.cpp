#include "app/join/host_identity.h"

#include <skiff/base/strings.h>
#include <skiff/sys/files.h>

#include <unistd.h>

#include <algorithm>

namespace skiff::app {

namespace {

constexpr std::size_t kIdBytesMax = 4096;
// Of boards with a device tree; of machines with a BIOS, readable by root.
constexpr const char* kSerialFiles[] = {"/proc/device-tree/serial-number",
                                        "/sys/class/dmi/id/product_uuid"};

// Empty when there is none, or one that says nothing: zeros, or what a maker forgot to fill in.
std::string read_id(const char* path) {
  auto text = sys::read_file(path, kIdBytesMax);
  if (!text) return {};
  std::string id(*text);
  while (!id.empty() && id.back() == '\0') id.pop_back();
  id = base::to_lower(base::trim(id));
  const bool says_something = std::any_of(id.begin(), id.end(), [](char c) {
    return (c >= '1' && c <= '9') || (c >= 'a' && c <= 'e');
  });
  return says_something ? id : std::string();
}

}  // namespace

HostIdentity read_host_identity() {
  HostIdentity host;
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) == 0) host.hostname = name;
  for (const char* path : kSerialFiles) {
    if (host.board_serial.empty()) host.board_serial = read_id(path);
  }
  host.machine_id = read_id("/etc/machine-id");
  return host;
}

}  // namespace skiff::app
