// Join tokens, the bodies of POST /skiff/v1/join with its signing request and of POST /skiff/v1/ca,
// and what masters answer. The first byte says which.
#include <skiff/auth/join_proof.h>

#include "apiserver/join/join_request.h"
#include "app/join/join_answer.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
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
      if (offered) {
        app::pick_authorities(*offered, {std::string(64, 'a')});
        app::all_authorities(*offered);
        const auto wanted =
            auth::join_proof_of_master("key", "channel", offered->certificates_text);
        if (auth::is_same_proof(offered->proof, wanted)) std::abort();
      }
      app::parse_join_answer(text, "n1", {});
      app::refusal_of(403, text);
      break;
    }
    case 3: {
      auto proof = apiserver::parse_join_proof(text);
      if (!proof.is_ok()) break;
      proof.value().channel = "channel";
      auth::JoinTokenRecord record;
      record.proof_key = auth::join_proof_key("secret");
      // Nobody guesses it.
      if (auth::check_join_proof(proof.value(), &record, {}).is_ok()) std::abort();
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
