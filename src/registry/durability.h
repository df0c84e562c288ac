// Which writes may be lost at a power cut: an allow-list of what its owner can compute again.
#pragma once

#include <skiff/api/kind.h>
#include <skiff/codec/json.h>
#include <skiff/store/store.h>

#include <string_view>

namespace skiff::registry {

// Of a put. `live` is null for a create.
store::Durability durability_of_put(const api::ResourceInfo& resource, std::string_view subresource,
                                    const codec::Json& object, const codec::Json& live);
store::Durability durability_of_remove(const api::ResourceInfo& resource);

}  // namespace skiff::registry
