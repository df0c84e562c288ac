// The few string helpers that every module needs.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::base {

// Anything that becomes text in a message.
class Piece {
 public:
  Piece(std::string_view text) : text_(text) {}
  Piece(const char* text) : text_(text) {}
  Piece(const std::string& text) : text_(text) {}
  Piece(char c) : owned_(1, c), text_(owned_) {}
  Piece(int v) : owned_(std::to_string(v)), text_(owned_) {}
  Piece(unsigned v) : owned_(std::to_string(v)), text_(owned_) {}
  Piece(long v) : owned_(std::to_string(v)), text_(owned_) {}
  Piece(unsigned long v) : owned_(std::to_string(v)), text_(owned_) {}
  Piece(long long v) : owned_(std::to_string(v)), text_(owned_) {}
  Piece(unsigned long long v) : owned_(std::to_string(v)), text_(owned_) {}
  Piece(const Piece&) = delete;
  Piece& operator=(const Piece&) = delete;
  std::string_view view() const { return text_; }

 private:
  std::string owned_;
  std::string_view text_;
};

std::string concat_pieces(std::initializer_list<std::string_view> pieces);

// concat("pod ", name, " has ", count, " containers").
template <class... Args>
std::string concat(const Args&... args) {
  return [](const auto&... piece) { return concat_pieces({piece.view()...}); }(Piece(args)...);
}

// Go's %q for printable text: double quotes with escapes.
std::string quote(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);
bool equals_ignore_case(std::string_view a, std::string_view b);
bool starts_with(std::string_view text, std::string_view prefix);
bool ends_with(std::string_view text, std::string_view suffix);
// The whole text as a decimal integer; nullopt when it is anything else or out of range.
std::optional<std::int64_t> parse_int(std::string_view text);
std::string to_hex(std::string_view bytes);

}  // namespace skiff::base
