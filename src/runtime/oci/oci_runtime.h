// The external OCI runtime's command line. Immutable.
#pragma once

#include <skiff/base/result.h>

#include <string>
#include <string_view>
#include <vector>

namespace skiff::runtime {

class OciRuntime {
 public:
  // `root` is where the OCI runtime keeps its state.
  OciRuntime(std::string program, std::string root)
      : program_(std::move(program)), root_(std::move(root)) {}

  std::vector<std::string> create_command(const std::string& id, const std::string& bundle,
                                          const std::string& pid_file, const std::string& log_file,
                                          const std::string& console_socket) const;
  std::vector<std::string> exec_command(const std::string& id, const std::string& process_file,
                                        const std::string& pid_file, const std::string& log_file,
                                        const std::string& console_socket) const;
  // Errors: invalid_argument with the OCI runtime's words.
  base::Status start(const std::string& id) const;
  // Ok when there is no such container.
  base::Status remove(const std::string& id) const;

 private:
  std::vector<std::string> command(const std::string& log_file) const;

  std::string program_, root_;
};

// What supervisors and the OCI runtime get of this process's environment: NOTIFY_SOCKET and
// LISTEN_FDS, which the OCI runtime would hand to containers, are skiff's own.
std::vector<std::string> oci_environment();

// The last error of a JSON log of the OCI runtime; `fallback` where there is none.
std::string oci_error_text(std::string_view log, std::string_view fallback);

}  // namespace skiff::runtime
