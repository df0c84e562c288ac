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

constexpr CommandOption kTtl{
    "ttl", "TIME", "how long the token may be used, as 90m, 24h or 7d; 0: for ever", false};
constexpr CommandOption kUses{"uses", "NUMBER", "how many boards may join with it", false};
constexpr CommandOption kDescription{"description", "TEXT", "what the token is for", false};
constexpr CommandOption kForNode{"node-name", "NAME", "the one name that it may be used for",
                                 false};
constexpr CommandOption kPrintJoin{"print-join-command", "",
                                   "print the command that a board is to run", true};
constexpr CommandOption kNoCaHash{
    "no-ca-hash", "",
    "a short token that does not name the CA: who reads the cluster's Secrets "
    "can pose as its master to boards that join with it",
    true};
constexpr CommandOption kTokenCreateOptions[] = {kTtl,     kUses,      kDescription,
                                                 kForNode, kPrintJoin, kNoCaHash};
constexpr CommandOption kTokenGenerateOptions[] = {kTtl, kUses, kDescription, kForNode, kNoCaHash};
constexpr CommandOption kTokenRotateOptions[] = {kTtl, kUses};

constexpr Command kCommands[] = {
    {"run", "", "start this node and serve until SIGTERM", {}, true, false, run_node},
    {"image import", "FILE...", "import image archives or OCI folders", kLocalSettings, false, true,
     run_image_import},
    {"image list",
     "",
     "list the images of this node",
     kLocalSettings,
     false,
     false,
     run_image_list,
     {},
     true},
    {"certs rotate-service-account", "",
     "sign tokens of service accounts with a new key; those of the keys before go on",
     kLocalSettings, false, false, run_rotate_service_account},
    {"token create", "", "make a token that boards join with", kLocalSettings, false, false,
     run_token_create, kTokenCreateOptions},
    {"token generate", "", "make the key of a cluster to be, and a token for it", kLocalSettings,
     false, false, run_token_generate, kTokenGenerateOptions},
    {"token list",
     "",
     "list the tokens of this cluster",
     kLocalSettings,
     false,
     false,
     run_token_list,
     {},
     true},
    {"token rotate", "ID", "give a token another secret", kLocalSettings, false, true,
     run_token_rotate, kTokenRotateOptions},
    {"token delete", "ID...", "delete tokens", kLocalSettings, false, true, run_token_delete},
    {"certs list",
     "",
     "tell which certificate of this node expires when",
     kLocalSettings,
     false,
     false,
     run_certs_list,
     {},
     true},
    {"certs rotate-ca", "[finish|finish-now]",
     "give the cluster another CA; finish ends the trust in the old one", kLocalSettings, false,
     false, run_certs_rotate_ca},
    {"reset", "", "end every pod of this stopped node and take its links and rules away",
     kResetSettings, false, false, run_reset},
    {"check",
     "",
     "tell what this host has and lacks",
     kCheckSettings,
     false,
     false,
     run_check,
     {},
     true},
    {"completion",
     "SHELL",
     "print completion for bash, zsh or fish",
     {},
     false,
     true,
     run_completion},
    {"version", "", "print the version", {}, false, false, run_version, {}, true},
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
