// A page comes out the same however it arrives, and what is no link of the pod's stays as it is.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "apiserver/streams/html_links.h"

using namespace skiff;
using apiserver::HtmlLinks;

namespace {

const apiserver::ProxyLinks kLinks = {"/p/proxy", "api:6443", {"10.42.0.5", "10.42.0.5:80"}};

std::string in_pieces(std::string_view page, std::size_t size) {
  HtmlLinks links(kLinks);
  std::string out;
  for (std::size_t at = 0; at < page.size(); at += size)
    out += links.rewrite(page.substr(at, size), false);
  return out + links.rewrite({}, true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view page(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = HtmlLinks(kLinks).rewrite(page, true);
  if (in_pieces(page, 1u + data[0] % 64) != whole) std::abort();
  // Only prefixes are added or taken away: without links nothing changes.
  if (page.find('/') == page.npos && whole != page) std::abort();
  return 0;
}
