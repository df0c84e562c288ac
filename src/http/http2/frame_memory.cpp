#include "http/http2/frame_memory.h"

#include <skiff/base/assert.h>

#include "http/limits.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace skiff::http {

struct FrameMemory::Buffer {
  bool is_used = false;
  char bytes[kHttp2FrameBufferBytes];
};

std::shared_ptr<FrameMemory::Buffer> FrameMemory::of_this_thread() {
  thread_local std::weak_ptr<Buffer> own;
  auto buffer = own.lock();
  if (!buffer) own = buffer = std::make_shared<Buffer>();
  return buffer;
}

FrameMemory::FrameMemory()
    : buffer_(of_this_thread()),
      allocator_{
          this, [](std::size_t size, void*) { return std::malloc(size); }, &release,
          [](std::size_t count, std::size_t size, void*) { return std::calloc(count, size); },
          &reallocate} {}

// The frame's buffer is the first that is asked for with that size. Where a library has another
// size for it, its sessions have buffers of their own.
void* FrameMemory::reallocate(void* memory, std::size_t size, void* user) {
  auto& self = *static_cast<FrameMemory*>(user);
  char* shared = self.buffer_->bytes;
  if (memory == nullptr && !self.is_given_ && size > kHttp2FrameBytesMax &&
      size <= kHttp2FrameBufferBytes) {
    self.is_given_ = true;
    return shared;
  }
  if (memory != shared) return std::realloc(memory, size);
  void* grown = std::malloc(size);
  if (grown != nullptr) std::memcpy(grown, shared, std::min(size, kHttp2FrameBufferBytes));
  return grown;
}

void FrameMemory::release(void* memory, void* user) {
  if (memory != static_cast<FrameMemory*>(user)->buffer_->bytes) std::free(memory);
}

FrameMemory::Use::Use(FrameMemory& memory) : memory_(memory) {
  auto& buffer = *memory_.buffer_;
  SKIFF_ASSERT(of_this_thread().get() == &buffer);
  if (buffer.is_used) outer_.assign(buffer.bytes, sizeof buffer.bytes);
  buffer.is_used = true;
}

FrameMemory::Use::~Use() {
  auto& buffer = *memory_.buffer_;
  if (outer_.empty())
    buffer.is_used = false;
  else
    std::memcpy(buffer.bytes, outer_.data(), outer_.size());
}

}  // namespace skiff::http
