// The memory of nghttp2. Every session of it keeps 16 KB in which it puts together the frame that
// goes out, and has something in them only within take_output(): those of a thread share them.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>

namespace skiff::http {

// Of one session, which must go first. Thread-compatible: everything but the destructor is for one
// thread, that of the session.
class FrameMemory {
 public:
  FrameMemory();
  FrameMemory(const FrameMemory&) = delete;
  FrameMemory& operator=(const FrameMemory&) = delete;

  // For the making of the session, which copies it.
  nghttp2_mem* allocator() { return &allocator_; }

  // While a session makes frames. What it has made must be taken before this ends. A callback may
  // begin a use of another session: what the first has in the buffer is there again afterwards.
  class Use {
   public:
    explicit Use(FrameMemory& memory);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    FrameMemory& memory_;
    std::string outer_;  // what an outer use has in the buffer
  };

 private:
  struct Buffer;
  static std::shared_ptr<Buffer> of_this_thread();
  static void* reallocate(void* memory, std::size_t size, void* user);
  static void release(void* memory, void* user);

  std::shared_ptr<Buffer> buffer_;
  bool is_given_ = false;
  nghttp2_mem allocator_;
};

}  // namespace skiff::http
