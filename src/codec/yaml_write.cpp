#include <skiff/codec/yaml.h>

#include "codec/yaml_scalar.h"

namespace skiff::codec {

namespace {

// True when plain text reads back as the same string.
bool is_plain_safe(std::string_view text) {
  if (text.empty() || !resolve_plain_scalar(text).is_string()) return false;
  constexpr std::string_view kIndicators = "-?:,[]{}#&*!|>'\"%@`=<";
  if (kIndicators.find(text.front()) != text.npos || text.front() == ' ' || text.back() == ' ' ||
      text.back() == ':')
    return false;
  if (text.starts_with("...")) return false;  // the end of a document
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  return text.find(": ") == text.npos && text.find(" #") == text.npos;
}

void write_string(std::string_view text, std::string& out) {
  if (is_plain_safe(text))
    out += text;
  else
    write_json_string(text, out);  // JSON strings are double-quoted YAML
}

void write_block(const Json& value, int indent, bool in_line, std::string& out);

void write_scalar(const Json& value, std::string& out) {
  if (value.is_string())
    write_string(value.as_string(), out);
  else
    write_json(value, out);
}

void write_value(const Json& value, int indent, std::string& out) {
  if ((value.is_object() || value.is_array()) && !value.empty()) {
    out += '\n';
    write_block(value, value.is_array() ? indent - 2 : indent, false, out);
    return;
  }
  out += ' ';
  write_scalar(value, out);
  out += '\n';
}

// `in_line`: the first line stands after "- " already.
void write_block(const Json& value, int indent, bool in_line, std::string& out) {
  auto lead = [&] {
    if (!in_line) out.append(static_cast<std::size_t>(indent), ' ');
    in_line = false;
  };
  if (value.is_object() && !value.empty()) {
    for (const auto& member : value.members()) {
      lead();
      write_string(member.key, out);
      out += ':';
      write_value(member.value, indent + 2, out);
    }
  } else if (value.is_array() && !value.empty()) {
    for (const auto& item : value.items()) {
      lead();
      out += "- ";
      write_block(item, indent + 2, true, out);
    }
  } else {
    lead();
    write_scalar(value, out);
    out += '\n';
  }
}

}  // namespace

std::string write_yaml(const Json& value) {
  std::string out;
  write_block(value, 0, false, out);
  return out;
}

}  // namespace skiff::codec
