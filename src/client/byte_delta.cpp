#include <skiff/client/byte_delta.h>

#include "client/limits.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

namespace skiff::client {

namespace {

constexpr std::size_t kBlockBytes = 16;
constexpr int kNumberBytesMax = 5;  // of 32 bits

void put_number(std::string& out, std::size_t number) {
  while (number >= 0x80) {
    out.push_back(static_cast<char>(number | 0x80));
    number >>= 7;
  }
  out.push_back(static_cast<char>(number));
}

bool take_number(std::string_view& text, std::size_t& number) {
  number = 0;
  for (int i = 0; i < kNumberBytesMax && !text.empty(); ++i) {
    auto byte = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    number |= static_cast<std::size_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) return true;
  }
  return false;
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  auto size = std::min(a.size(), b.size());
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.begin() + size, b.begin()).first -
                                  a.begin());
}

std::size_t common_suffix(std::string_view a, std::string_view b) {
  auto size = std::min(a.size(), b.size());
  return static_cast<std::size_t>(std::mismatch(a.rbegin(), a.rbegin() + size, b.rbegin()).first -
                                  a.rbegin());
}

std::uint64_t block_hash(const char* at) {
  std::uint64_t words[2];
  std::memcpy(words, at, sizeof words);
  std::uint64_t hash = (words[0] ^ std::rotl(words[1], 29)) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 32);
}

// Where in a text its blocks of 16 bytes stand.
class BlockIndex {
 public:
  explicit BlockIndex(std::string_view text) : text_(text) {
    auto blocks = std::min(text.size(), kDeltaIndexBytesMax) / kBlockBytes;
    slots_.assign(std::bit_ceil(2 * blocks + 1), 0);
    for (std::size_t block = 0; block < blocks; ++block) {
      auto& slot = slots_[slot_of(text.data() + block * kBlockBytes)];
      if (slot == 0) slot = static_cast<std::uint32_t>(block + 1);
    }
  }
  // The offset of a block like the one at `at`; npos without.
  std::size_t find(const char* at) const {
    auto slot = slots_[slot_of(at)];
    if (slot == 0) return std::string_view::npos;
    auto offset = (slot - 1) * kBlockBytes;
    bool same = std::memcmp(text_.data() + offset, at, kBlockBytes) == 0;
    return same ? offset : std::string_view::npos;
  }

 private:
  std::size_t slot_of(const char* at) const { return block_hash(at) & (slots_.size() - 1); }
  std::string_view text_;
  std::vector<std::uint32_t> slots_;  // number of the block + 1; 0 is free
};

class DeltaWriter {
 public:
  // A copy whose following bytes come with insert(), or not at all.
  void copy(std::size_t offset, std::size_t size) {
    flush();
    offset_ = offset;
    size_ = size;
  }
  void insert(std::string_view bytes) { bytes_ = bytes; }
  std::string finish() {
    flush();
    return std::move(out_);
  }

 private:
  void flush() {
    if (size_ == 0 && bytes_.empty()) return;
    put_number(out_, offset_);
    put_number(out_, size_);
    put_number(out_, bytes_.size());
    out_ += bytes_;
    offset_ = size_ = 0;
    bytes_ = {};
  }
  std::string out_;
  std::size_t offset_ = 0, size_ = 0;
  std::string_view bytes_;
};

// The steps for what is between the common ends: `target` is a part of the whole, `base` is all.
void write_middle(std::string_view base, std::string_view target, DeltaWriter& writer) {
  if (target.size() < kBlockBytes || base.size() < kBlockBytes) {
    writer.insert(target);
    return;
  }
  BlockIndex index(base);
  std::size_t begin = 0;  // what is before is written
  std::size_t at = 0;
  while (at + kBlockBytes <= target.size()) {
    auto found = index.find(target.data() + at);
    if (found == std::string_view::npos) {
      ++at;
      continue;
    }
    auto before = common_suffix(base.substr(0, found), target.substr(begin, at - begin));
    auto after = common_prefix(base.substr(found), target.substr(at));
    writer.insert(target.substr(begin, at - before - begin));
    writer.copy(found - before, before + after);
    at += after;
    begin = at;
  }
  writer.insert(target.substr(begin));
}

}  // namespace

std::uint32_t delta_checksum(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

std::string make_delta(std::string_view base, std::string_view target) {
  DeltaWriter writer;
  auto prefix = common_prefix(base, target);
  auto suffix = common_suffix(base.substr(prefix), target.substr(prefix));
  writer.copy(0, prefix);
  write_middle(base, target.substr(prefix, target.size() - prefix - suffix), writer);
  if (suffix > 0) writer.copy(base.size() - suffix, suffix);
  return writer.finish();
}

base::Result<std::string> apply_delta(std::string_view base, std::string_view delta,
                                      std::size_t size, std::uint32_t checksum) {
  auto damaged = [] { return base::invalid_argument("a delta that does not fit its base"); };
  if (size > kObjectBytesMax) return damaged();
  std::string target;
  target.reserve(size);
  while (!delta.empty()) {
    std::size_t offset = 0, copied = 0, inserted = 0;
    if (!take_number(delta, offset) || !take_number(delta, copied) || !take_number(delta, inserted))
      return damaged();
    if (offset > base.size() || copied > base.size() - offset || inserted > delta.size())
      return damaged();
    if (copied > size - target.size() || inserted > size - target.size() - copied) return damaged();
    target += base.substr(offset, copied);
    target += delta.substr(0, inserted);
    delta.remove_prefix(inserted);
  }
  if (target.size() != size || delta_checksum(target) != checksum) return damaged();
  return target;
}

}  // namespace skiff::client
