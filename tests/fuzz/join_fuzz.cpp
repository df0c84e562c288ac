// Join tokens, the body of POST /skiff/v1/join with its signing request, and what masters answer.
// The first byte says which.
#include <skiff/auth/join_token.h>

#include "apiserver/join/join_request.h"
#include "app/join/join_answer.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: {
      auto token = auth::parse_join_token(text);
      // What is read is written as it was, and names the same token.
      if (token && !auth::parse_join_token(auth::format_join_token(*token))) std::abort();
      auth::join_token_id(text);
      break;
    }
    case 1: {
      auto request = apiserver::parse_join_request(text, {"master1"});
      if (request.is_ok() &&
          (request.value().key_sha256.size() != 64 || request.value().node_name == "master1"))
        std::abort();
      break;
    }
    case 2: {
      auto offered = app::parse_offered_authorities(text);
      if (offered) app::pick_authorities(*offered, {std::string(64, 'a')});
      app::parse_join_answer(text, "n1", {});
      app::refusal_of(403, text);
      break;
    }
    default: {
      auto secret = codec::parse_json(text);
      if (!secret) break;
      auto record = auth::read_join_token_secret(*secret);
      if (record) auth::plan_join({"n1", "k", record->id, "s", true}, {}, &*record, {});
    }
  }
  return 0;
}
