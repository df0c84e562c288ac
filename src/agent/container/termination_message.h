// What a container says at its end. Blocks.
#pragma once

#include <skiff/codec/json.h>
#include <skiff/runtime/runtime.h>

#include <string>
#include <string_view>

namespace skiff::agent {

// The host file that is mounted at terminationMessagePath of one run.
std::string termination_file(const std::string& data_dir, std::string_view pod_uid,
                             std::string_view container, int attempt);

// The file's text (4096 bytes at most); when it is empty, the policy is FallbackToLogsOnError and
// the container failed, the end of its log (80 lines or 2048 bytes); else the runtime's words.
std::string read_termination_message(const std::string& data_dir, const codec::Json& pod,
                                     const codec::Json& container,
                                     const runtime::ContainerStatus& status);

// The messages of the last lines of a CRI log, newest last. Pure.
std::string tail_of_log(std::string_view text);

}  // namespace skiff::agent
