// Immutable bytes with a reference count: one allocation, shared by store, watchers and sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace skiff::base {

// Immutable, thread-safe to share. An empty one owns nothing.
class SharedBytes {
 public:
  SharedBytes() noexcept = default;
  explicit SharedBytes(std::string_view bytes);
  SharedBytes(const SharedBytes& other) noexcept;
  SharedBytes(SharedBytes&& other) noexcept : rep_(std::exchange(other.rep_, nullptr)) {}
  SharedBytes& operator=(SharedBytes other) noexcept {
    std::swap(rep_, other.rep_);
    return *this;
  }
  ~SharedBytes();

  std::string_view view() const noexcept;
  std::size_t size() const noexcept { return view().size(); }
  bool empty() const noexcept { return rep_ == nullptr; }
  // True when both share one buffer.
  bool same_buffer(const SharedBytes& other) const noexcept { return rep_ == other.rep_; }

  // The two parts one after the other, in one allocation.
  static SharedBytes concat(std::string_view first, std::string_view second);
  // The text without a copy; what it has reserved beyond its end stays with it.
  static SharedBytes adopt(std::string text);

 private:
  struct Rep;
  struct AdoptedRep;
  explicit SharedBytes(Rep* rep) noexcept : rep_(rep) {}
  Rep* rep_ = nullptr;
};

}  // namespace skiff::base
