// What tokens say whose signature has been verified before.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "auth/tokens/token_content.h"

namespace skiff::auth {

// The latest kVerifiedTokensMax used ones, by their digest: the tokens themselves are not kept.
// Thread-safe.
class VerifiedTokens {
 public:
  using Content = std::shared_ptr<const TokenContent>;
  // Null when it is not there.
  Content find(const std::string& digest);
  void add(std::string digest, Content content);
  void erase(const std::string& digest);
  std::size_t size() const;

 private:
  struct Entry {
    std::string digest;
    Content content;
  };
  using Entries = std::list<Entry>;

  mutable std::mutex mutex_;
  Entries entries_;  // the latest used first
  std::unordered_map<std::string, Entries::iterator> by_digest_;
};

}  // namespace skiff::auth
