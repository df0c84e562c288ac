// The files of a node that has joined; see app/join.h for their names. All calls block.
#pragma once

#include "app/join.h"

#include <optional>

namespace skiff::app {

struct JoinedFiles {
  std::string key_pem;               // empty: none yet
  std::string node_name, ca_pem;     // of the cluster that it has joined; empty: of none
  std::string board_fingerprint;     // of the board that joined; empty: not known
  std::optional<JoinedNode> joined;  // none: has never joined, or a file is lost or damaged
};
base::Result<JoinedFiles> read_joined_files(const std::string& data_dir);
// The key, made and synced when there is none.
base::Result<std::string> make_node_key(const std::string& data_dir);
// Forgets the key and what was got for it.
base::Status remove_joined_files(const std::string& data_dir);
// The settings last: what is whole has them.
base::Status write_joined_files(const std::string& data_dir, const JoinedNode& joined,
                                const std::string& board_fingerprint);

}  // namespace skiff::app
