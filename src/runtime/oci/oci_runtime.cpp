#include "runtime/oci/oci_runtime.h"

#include <skiff/base/strings.h>
#include <skiff/codec/json.h>
#include <skiff/sys/process.h>

#include <cstdlib>

#include "runtime/limits.h"

namespace skiff::runtime {

std::string oci_error_text(std::string_view log, std::string_view fallback) {
  std::string text;
  for (auto line : base::split(log, '\n')) {
    const auto json = codec::parse_json(line);
    if (!json.is_ok()) continue;
    auto level = (*json)["level"].as_string();
    if (level == "error" || level == "fatal") text = (*json)["msg"].as_string();
  }
  return text.empty() ? std::string(fallback) : text;
}

std::vector<std::string> oci_environment() {
  const char* path = getenv("PATH");
  return {base::concat("PATH=", path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin")};
}

std::vector<std::string> OciRuntime::command(const std::string& log_file) const {
  return {program_, "--root", root_, "--log", log_file, "--log-format", "json"};
}

std::vector<std::string> OciRuntime::create_command(const std::string& id,
                                                    const std::string& bundle,
                                                    const std::string& pid_file,
                                                    const std::string& log_file,
                                                    const std::string& console_socket) const {
  auto argv = command(log_file);
  argv.insert(argv.end(), {"create", "--bundle", bundle, "--pid-file", pid_file});
  if (!console_socket.empty()) argv.insert(argv.end(), {"--console-socket", console_socket});
  argv.push_back(id);
  return argv;
}

std::vector<std::string> OciRuntime::exec_command(const std::string& id,
                                                  const std::string& process_file,
                                                  const std::string& pid_file,
                                                  const std::string& log_file,
                                                  const std::string& console_socket) const {
  auto argv = command(log_file);
  argv.insert(argv.end(), {"exec", "--detach", "--process", process_file, "--pid-file", pid_file});
  if (!console_socket.empty()) argv.insert(argv.end(), {"--console-socket", console_socket});
  argv.push_back(id);
  return argv;
}

base::Status OciRuntime::start(const std::string& id) const {
  sys::RunOptions options;
  options.argv = {program_, "--root", root_, "--log-format", "json", "start", id};
  options.env = oci_environment();
  options.timeout_ms = kOciRuntimeMs;
  SKIFF_ASSIGN_OR_RETURN(auto result, sys::run_process(std::move(options)));
  if (result.exit_code == 0) return {};
  return base::invalid_argument(
      oci_error_text(result.error_output, base::trim(result.error_output)));
}

base::Status OciRuntime::remove(const std::string& id) const {
  sys::RunOptions options;
  options.argv = {program_, "--root", root_, "delete", "--force", id};
  options.env = oci_environment();
  options.timeout_ms = kOciRuntimeMs;
  SKIFF_ASSIGN_OR_RETURN(auto result, sys::run_process(std::move(options)));
  if (result.exit_code == 0 || result.error_output.find("does not exist") != std::string::npos)
    return {};
  return base::internal_error(
      base::concat("remove container ", id, ": ", base::trim(result.error_output)));
}

}  // namespace skiff::runtime
