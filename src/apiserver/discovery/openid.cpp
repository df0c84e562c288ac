#include "apiserver/discovery/openid.h"

#include <skiff/base/strings.h>

namespace skiff::apiserver {

using codec::Json;

namespace {

http::Response cached_response(std::string_view content_type, std::string text) {
  http::Response response;
  response.headers.set("Content-Type", std::string(content_type));
  response.headers.set("Cache-Control", "public, max-age=3600");
  response.body.emplace_back(std::string_view(text));
  return response;
}

}  // namespace

std::string advertised_authority(const Services& services) {
  auto address = services.advertised_address();
  return base::concat(address.empty() ? "localhost" : address, ":",
                      services.options.advertise_port);
}

http::Response openid_configuration(const RequestContext& context) {
  const auto keys = base::concat("https://", advertised_authority(context.services), kKeySetPath);
  Json document =
      Json::object({{"issuer", context.services.tokens->issuer()},
                    {"jwks_uri", keys},
                    {"response_types_supported", Json::array({Json("id_token")})},
                    {"subject_types_supported", Json::array({Json("public")})},
                    {"id_token_signing_alg_values_supported", Json::array({Json("ES256")})}});
  return cached_response("application/json", codec::write_json(document));
}

http::Response key_set(const RequestContext& context) {
  return cached_response("application/jwk-set+json", context.services.tokens->key_set());
}

}  // namespace skiff::apiserver
