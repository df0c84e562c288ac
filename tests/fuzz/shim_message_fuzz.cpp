// Messages between skiff and a shim.
#include <skiff/base/assert.h>

#include "runtime/shim/message.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  shim_message message;
  if (shim_parse(data, size, &message) != 0) return 0;
  SKIFF_ASSERT(message.count <= SHIM_FIELDS_MAX);
  shim_builder builder;
  shim_begin(&builder, message.type);
  for (std::size_t i = 0; i < message.count; ++i) {
    const shim_field& field = message.fields[i];
    SKIFF_ASSERT(field.bytes >= data && field.bytes + field.length <= data + size);
    shim_add(&builder, field.tag, field.bytes, field.length);
    char text[SHIM_ID_BYTES_MAX + 1];
    if (shim_text(&message, field.tag, text, sizeof text) == 0)
      SKIFF_ASSERT(strlen(text) < sizeof text);
    (void)shim_number(&message, field.tag);
  }
  // What was understood can be said again.
  shim_message again;
  SKIFF_ASSERT(builder.overflow == 0 && shim_parse(builder.bytes, builder.length, &again) == 0);
  SKIFF_ASSERT(again.count == message.count && builder.length == size);
  return 0;
}
