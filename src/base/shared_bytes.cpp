#include <skiff/base/assert.h>
#include <skiff/base/shared_bytes.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

namespace skiff::base {

struct SharedBytes::Rep {
  std::atomic<std::uint32_t> references;
  std::uint32_t size;
  char* data() noexcept { return reinterpret_cast<char*>(this + 1); }
};

SharedBytes::SharedBytes(std::string_view bytes) : SharedBytes(concat(bytes, {})) {}

SharedBytes SharedBytes::concat(std::string_view first, std::string_view second) {
  std::size_t size = first.size() + second.size();
  if (size == 0) return {};
  SKIFF_ASSERT(size <= UINT32_MAX);
  void* memory = std::malloc(sizeof(Rep) + size);
  SKIFF_ASSERT(memory != nullptr);
  Rep* rep = ::new (memory) Rep{{1}, static_cast<std::uint32_t>(size)};
  if (!first.empty()) std::memcpy(rep->data(), first.data(), first.size());
  if (!second.empty()) std::memcpy(rep->data() + first.size(), second.data(), second.size());
  return SharedBytes(rep);
}

SharedBytes::SharedBytes(const SharedBytes& other) noexcept : rep_(other.rep_) {
  if (rep_ != nullptr) rep_->references.fetch_add(1, std::memory_order_relaxed);
}

SharedBytes::~SharedBytes() {
  if (rep_ != nullptr && rep_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    rep_->~Rep();
    std::free(rep_);
  }
}

std::string_view SharedBytes::view() const noexcept {
  return rep_ ? std::string_view(rep_->data(), rep_->size) : std::string_view();
}

}  // namespace skiff::base
