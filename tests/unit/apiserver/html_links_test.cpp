#include "apiserver/streams/html_links.h"
#include "apiserver/limits.h"

#include <catch2/catch.hpp>

using namespace skiff;
using apiserver::HtmlLinks;

namespace {

const apiserver::ProxyLinks kLinks = {"/p/proxy", "api:6443", {"10.42.0.5", "10.42.0.5:80"}};

std::string rewritten(std::string_view page) { return HtmlLinks(kLinks).rewrite(page, true); }

// The page in pieces of `size` bytes.
std::string in_pieces(std::string_view page, std::size_t size) {
  HtmlLinks links(kLinks);
  std::string out;
  for (std::size_t at = 0; at < page.size(); at += size)
    out += links.rewrite(page.substr(at, size), false);
  return out + links.rewrite({}, true);
}

struct Case {
  const char* page;
  const char* expected;
};
const Case kCases[] = {
    {R"(<a href="/next">x</a>)", R"(<a href="/p/proxy/next">x</a>)"},
    {"<A class=b\nHREF = '/next' id>/a</A>", "<A class=b\nHREF = '/p/proxy/next' id>/a</A>"},
    {"<img src=/i.png><img src=/j/>", "<img src=/p/proxy/i.png><img src=/p/proxy/j/>"},
    {R"(<iframe src="/a" longdesc="/b"></iframe>)",
     R"(<iframe src="/p/proxy/a" longdesc="/p/proxy/b"></iframe>)"},
    {R"(<a href="http://api:6443/x?y#z">)", R"(<a href="http://api:6443/p/proxy/x?y#z">)"},
    {R"(<a href="http://10.42.0.5:80/x">)", R"(<a href="/p/proxy/x">)"},
    {R"(<script src="/s.js">document.write("<a href='/no'>")</script><a href="/yes">)",
     R"(<script src="/p/proxy/s.js">document.write("<a href='/no'>")</script><a href="/p/proxy/yes">)"},
    {R"(<!-- <a href="/no"> --><a href="/yes"><!--><a href="/yes">)",
     R"(<!-- <a href="/no"> --><a href="/p/proxy/yes"><!--><a href="/p/proxy/yes">)"},
    {R"(<a title="<b>" href="/yes">)", R"(<a title="<b>" href="/p/proxy/yes">)"},
};
// What is no link, or none of the pod's.
const char* const kSame[] = {
    "",
    "a < b && b > c <",
    R"(<a href="next"><a href="#top"><a href=""><a href><a href=>)",
    R"(<a href="https://elsewhere/x"><a href="//elsewhere/x"><a href="mailto:a@b">)",
    R"(<a href="/p/proxy/next"><a href="/p/proxy">)",
    R"(<b href="/x"><a title="/x"><area target="/x">)",
    R"(</a href="/x"><!a href="/x"><? a href="/x">)",
    R"(<a href="/not closed)",
    "<!-- not closed <a href='/x'>",
    "<style>a { background: url(/x) }",
    "<textarea><a href=\"/x\"></textarea",
};

}  // namespace

TEST_CASE("links of a page lead through the proxy") {
  for (const auto& each : kCases) CHECK(rewritten(each.page) == each.expected);
}

TEST_CASE("what is no link of the pod's stays as it is") {
  for (const auto* page : kSame) CHECK(rewritten(page) == page);
}

TEST_CASE("a page that arrives in pieces is the same") {
  for (const auto& each : kCases)
    for (std::size_t size : {1, 2, 3, 7}) CHECK(in_pieces(each.page, size) == each.expected);
  for (const auto* page : kSame) CHECK(in_pieces(page, 1) == page);
}

TEST_CASE("nothing is kept back for longer than a tag may be") {
  const std::string long_value(apiserver::kProxyTagBytesMax, 'x');
  HtmlLinks links(kLinks);
  const std::string tag = "<a title=\"" + long_value;
  auto out = links.rewrite(tag, false);
  CHECK(out.size() == tag.size());
  CHECK(links.rewrite("\"><a href=\"/x\">", true) == "\"><a href=\"/p/proxy/x\">");
  // Each "<a" might begin a tag.
  std::string starts;
  while (starts.size() < 1u << 20) starts += "<a";
  CHECK(rewritten(starts) == starts);
}
