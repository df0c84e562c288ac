// The settings that say how a node stands in its cluster: masters, token, labels, taints. Each
// checks and stores the values of one setting; the message lacks the setting's name.
#pragma once

#include <skiff/app/config.h>

namespace skiff::app {

base::Status set_servers(Config& config, const std::vector<std::string>& values);
base::Status set_token(Config& config, const std::vector<std::string>& values);
// What the file has; errors name it.
base::Status set_token_file(Config& config, const std::vector<std::string>& values);
base::Status set_node_labels(Config& config, const std::vector<std::string>& values);
base::Status set_node_taints(Config& config, const std::vector<std::string>& values);

}  // namespace skiff::app
