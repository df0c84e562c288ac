// Links of a page that is read through the proxy, made to lead through the proxy, too. Pure.
#pragma once

#include "apiserver/streams/plan_proxy.h"

#include <string>
#include <string_view>

namespace skiff::apiserver {

// The page as it arrives. What is no link of a tag stays as it is, byte by byte; a tag longer than
// kProxyTagBytesMax, too. Thread-compatible.
class HtmlLinks {
 public:
  explicit HtmlLinks(ProxyLinks links) : links_(std::move(links)) {}
  // What can be sent on; what is kept back comes with a later piece. `is_last`: all of it.
  std::string rewrite(std::string_view piece, bool is_last);

 private:
  enum class State : unsigned char { text, comment, raw_text };
  // Each moves what it is done with from pending_ to `out`; false: more has to arrive.
  bool take_text(std::string& out);
  bool take_until(std::string_view end, std::string& out);
  bool take_tag(std::string& out);
  void take(std::size_t bytes, std::string& out);

  const ProxyLinks links_;
  State state_ = State::text;
  std::string raw_element_;  // in raw_text: its lower-case name
  std::string pending_;
  std::size_t at_ = 0;  // of pending_, before which all is sent
};

}  // namespace skiff::apiserver
