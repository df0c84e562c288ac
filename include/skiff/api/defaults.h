// Decoding and defaulting of objects, driven by the schema.
#pragma once

#include <skiff/api/kind.h>
#include <skiff/api/schema.h>
#include <skiff/base/result.h>
#include <skiff/codec/json.h>

#include <string>
#include <vector>

namespace skiff::api {

// Checks `object` against the type: wrong JSON types are invalid_argument with upstream's words
// (`json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type
// int32`), unknown fields are removed and named in `unknown` (`unknown field "spec.foo"`), and with
// them, in the order of the text as upstream has it, those of `duplicates` (paths of members that
// the text had twice) that are known (`duplicate field "spec.replicas"`). Nulls of optional fields
// are dropped.
base::Status decode_object(const TypeInfo& type, codec::Json& object,
                           std::vector<std::string>* unknown,
                           const std::vector<std::string>& duplicates = {});

// Applies the defaults of upstream's SetDefaults functions and of the schema. Idempotent.
void apply_defaults(const TypeInfo& type, codec::Json& object);

// "application/vnd.kubernetes.protobuf": the envelope (4 magic bytes, runtime.Unknown) and its
// object as JSON with apiVersion and kind set.
base::Result<codec::Json> decode_protobuf(std::string_view body);
// The same back, for tests against recorded pairs and for clients that ask for it.
base::Result<std::string> encode_protobuf(const TypeInfo& type, const codec::Json& object);

}  // namespace skiff::api
