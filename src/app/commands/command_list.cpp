#include "app/commands/command_list.h"

#include <unistd.h>
#include <cstdio>
#include <cstdlib>

namespace skiff::app {

namespace {

constexpr std::string_view kLocalSettings[] = {"data-dir", "runtime-dir"};
constexpr std::string_view kCheckSettings[] = {"data-dir", "runtime-dir", "runtime"};

constexpr std::string_view kResetSettings[] = {"data-dir",   "runtime-dir",  "cgroup-parent",
                                               "runtime",    "cluster-cidr", "service-cidr",
                                               "cluster-dns"};

constexpr Command kCommands[] = {
    {"run", "", "start this node and serve until SIGTERM", {}, true, false, run_node},
    {"image import", "FILE...", "import image archives or OCI folders", kLocalSettings, false, true,
     run_image_import},
    {"image list", "", "list the images of this node", kLocalSettings, false, false,
     run_image_list},
    {"certs rotate-service-account", "",
     "sign tokens of service accounts with a new key; those of the keys before go on",
     kLocalSettings, false, false, run_rotate_service_account},
    {"reset", "", "end every pod of this stopped node and take its links and rules away",
     kResetSettings, false, false, run_reset},
    {"check", "", "tell what this host has and lacks", kCheckSettings, false, false, run_check},
    {"completion",
     "SHELL",
     "print completion for bash, zsh or fish",
     {},
     false,
     true,
     run_completion},
    {"version", "", "print the version", {}, false, false, run_version},
};

}  // namespace

std::span<const Command> command_list() { return kCommands; }

base::Result<Config> config_of(const Invocation& invocation) {
  std::string file = invocation.config_file;
  bool required = !file.empty();
  if (file.empty()) {
    const char* from_environment = std::getenv("SKIFF_CONFIG");
    required = from_environment != nullptr;
    file = required ? from_environment : std::string(kDefaultConfigFile);
  }
  SKIFF_ASSIGN_OR_RETURN(Settings files, read_config_files(file, required));
  SKIFF_ASSIGN_OR_RETURN(Settings environment, read_environment(environ));
  return make_config({files, environment, invocation.flags});
}

int fail(const base::Status& status) {
  std::fprintf(stderr, "skiff: %.*s\n", static_cast<int>(status.message().size()),
               status.message().data());
  return status.code() == base::Code::invalid_argument ? 2 : 1;
}

}  // namespace skiff::app
