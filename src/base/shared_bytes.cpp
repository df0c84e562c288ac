#include <skiff/base/assert.h>
#include <skiff/base/shared_bytes.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

namespace skiff::base {

// Bytes follow the header, or are a string's that somebody made.
struct SharedBytes::Rep {
  static constexpr std::uint32_t kAdopted = UINT32_MAX;
  std::atomic<std::uint32_t> references;
  std::uint32_t size;
  char* data() noexcept { return reinterpret_cast<char*>(this + 1); }
};

struct SharedBytes::AdoptedRep : Rep {
  std::string text;
};

SharedBytes::SharedBytes(std::string_view bytes) : SharedBytes(concat(bytes, {})) {}

SharedBytes SharedBytes::concat(std::string_view first, std::string_view second) {
  std::size_t size = first.size() + second.size();
  if (size == 0) return {};
  SKIFF_ASSERT(size < Rep::kAdopted);
  void* memory = std::malloc(sizeof(Rep) + size);
  SKIFF_ASSERT(memory != nullptr);
  Rep* rep = ::new (memory) Rep{{1}, static_cast<std::uint32_t>(size)};
  if (!first.empty()) std::memcpy(rep->data(), first.data(), first.size());
  if (!second.empty()) std::memcpy(rep->data() + first.size(), second.data(), second.size());
  return SharedBytes(rep);
}

SharedBytes SharedBytes::adopt(std::string text) {
  if (text.empty()) return {};
  return SharedBytes(new AdoptedRep{{{1}, Rep::kAdopted}, std::move(text)});
}

SharedBytes::SharedBytes(const SharedBytes& other) noexcept : rep_(other.rep_) {
  if (rep_ != nullptr) rep_->references.fetch_add(1, std::memory_order_relaxed);
}

SharedBytes::~SharedBytes() {
  if (rep_ == nullptr || rep_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (rep_->size == Rep::kAdopted) {
    delete static_cast<AdoptedRep*>(rep_);
    return;
  }
  rep_->~Rep();
  std::free(rep_);
}

std::string_view SharedBytes::view() const noexcept {
  if (rep_ == nullptr) return {};
  if (rep_->size == Rep::kAdopted) return static_cast<const AdoptedRep*>(rep_)->text;
  return {rep_->data(), rep_->size};
}

}  // namespace skiff::base
