#include "auth/tokens/verified_tokens.h"

#include "auth/limits.h"

namespace skiff::auth {

VerifiedTokens::Content VerifiedTokens::find(const std::string& digest) {
  std::lock_guard lock(mutex_);
  auto found = by_digest_.find(digest);
  if (found == by_digest_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->content;
}

void VerifiedTokens::add(std::string digest, Content content) {
  std::lock_guard lock(mutex_);
  if (by_digest_.count(digest) != 0) return;
  entries_.push_front({digest, std::move(content)});
  by_digest_.emplace(std::move(digest), entries_.begin());
  if (entries_.size() <= kVerifiedTokensMax) return;
  by_digest_.erase(entries_.back().digest);
  entries_.pop_back();
}

void VerifiedTokens::erase(const std::string& digest) {
  std::lock_guard lock(mutex_);
  auto found = by_digest_.find(digest);
  if (found == by_digest_.end()) return;
  entries_.erase(found->second);
  by_digest_.erase(found);
}

std::size_t VerifiedTokens::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace skiff::auth
