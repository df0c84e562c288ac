#include <skiff/codec/base64.h>

#include "registry/strategy.h"

namespace skiff::registry {

using codec::Json;

namespace {

// stringData is for writing only: it wins over data of the same key.
void merge_string_data(Json& secret) {
  const Json plain = std::as_const(secret)["stringData"];
  secret.erase("stringData");
  for (const auto& member : plain.members()) {
    secret["data"].set(member.key, codec::base64_encode(member.value.as_string()));
  }
}

}  // namespace

void prepare_secret_create(Json& secret) { merge_string_data(secret); }

void prepare_secret_update(std::string_view, Json& secret, const Json& live) {
  merge_string_data(secret);
  if (std::as_const(secret)["type"].as_string().empty()) secret.set("type", live["type"]);
}

}  // namespace skiff::registry
