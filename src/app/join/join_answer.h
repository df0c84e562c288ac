// What masters answer to a board that joins. Pure; any bytes give an answer.
#pragma once

#include "app/join.h"

#include <skiff/codec/json.h>

#include <optional>
#include <vector>

namespace skiff::app {

// Of GET or POST /skiff/v1/ca, from nobody knows whom.
struct OfferedAuthorities {
  std::string certificates_text;  // as it came
  std::vector<std::string> certificates_pem;
  std::string proof;  // that who offers them knows the secret of a token; empty without
  std::optional<base::WallTime> time;
};
base::Result<OfferedAuthorities> parse_offered_authorities(std::string_view body);

// The certificates among those offered whose public key is one of `key_sha256`, as one PEM text;
// empty when there is none.
std::string pick_authorities(const OfferedAuthorities& offered,
                             const std::vector<std::string>& key_sha256);
// All that are authorities, for who has proved that they are the cluster's.
std::string all_authorities(const OfferedAuthorities& offered);
// The fingerprints of the public keys of certificates in PEM form.
std::vector<std::string> key_fingerprints(std::string_view certificates_pem);

// When certificates are judged: a clock that stands before the authority was made is not set, and
// what the master says is nearer.
base::WallTime judging_time(const std::string& authorities_pem, base::WallTime now,
                            std::optional<base::WallTime> offered);

// Of POST /skiff/v1/join, from a master that is verified. The certificates must be for `key_pem`
// and the name.
base::Result<JoinedNode> parse_join_answer(std::string_view body, const std::string& node_name,
                                           const std::string& key_pem);
// The settings of the cluster in such an answer, and in the file that keeps them; what is missing
// is empty.
ClusterSettings read_cluster_settings(const codec::Json& tree);
// The signing request of a node for its client certificate.
base::Result<std::string> make_node_request(const std::string& node_name,
                                            const std::string& key_pem);
// The sentence and code of an answer that is no success.
base::Status refusal_of(int http_status, std::string_view body);

}  // namespace skiff::app
