#include "app/join/plan_node_name.h"

#include <skiff/base/strings.h>
#include <skiff/pki/token.h>

#include <algorithm>

namespace skiff::app {

namespace {

// What images call a board that nobody has named.
constexpr std::string_view kImageNames[] = {
    "localhost", "raspberrypi",   "debian",    "ubuntu",   "alpine",  "arch",       "alarm",
    "fedora",    "openwrt",       "buildroot", "armbian",  "dietpi",  "beaglebone", "beagle",
    "jetson",    "nanopi",        "bananapi",  "rock64",   "rockpro", "odroid",     "linux",
    "host",      "none",          "raspberry", "rpi",      "yocto",   "qemux86-64", "qemuarm64",
    "nvidia",    "ubuntu-server", "raspios",   "orangepi", "radxa",   "imx8mmevk",  "colibri"};
constexpr std::size_t kHashDigits = 8;
// The label kubernetes.io/hostname has no more.
constexpr std::size_t kNameLengthMax = 63;

std::string dns_text(std::string_view name) {
  std::string text = base::to_lower(base::trim(name));
  for (char& c : text) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    if (!good) c = '-';
  }
  auto is_edge = [](char c) { return c == '-' || c == '.'; };
  if (text.size() > kNameLengthMax) text.resize(kNameLengthMax);
  while (!text.empty() && is_edge(text.back())) text.pop_back();
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), is_edge));
  return text;
}

bool is_of_an_image(std::string_view name) {
  const auto first = name.substr(0, name.find('.'));
  return std::find(std::begin(kImageNames), std::end(kImageNames), first) != std::end(kImageNames);
}

}  // namespace

base::Result<std::string> plan_node_name(const HostIdentity& host) {
  std::string name = dns_text(host.hostname);
  if (!name.empty() && !is_of_an_image(name)) return name;
  const auto& id = host.board_serial.empty() ? host.machine_id : host.board_serial;
  if (id.empty())
    return base::invalid_argument(
        "neither the host's name nor its hardware tells this board from others; give the node a "
        "name with --node-name");
  if (auto dot = name.find('.'); dot != name.npos) name.resize(dot);
  if (name.empty() || name == "localhost" || name == "none") name = "node";
  return base::concat(name, "-", pki::sha256_hex(id).substr(0, kHashDigits));
}

std::string board_fingerprint(const HostIdentity& host) {
  return host.board_serial.empty() ? std::string() : pki::sha256_hex(host.board_serial);
}

}  // namespace skiff::app
