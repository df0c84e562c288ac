// One function per command; `command_list.cpp` lists them.
#pragma once

#include <skiff/app/config.h>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::app {

// What the command line gave to a command.
struct Invocation {
  Settings flags;                                           // settings given as flags
  std::string config_file;                                  // empty: the default one
  std::vector<std::string> arguments;                       // positional
  std::map<std::string, std::string, std::less<>> options;  // of the command itself
  bool json = false;                                        // -o json
};

// A flag that is no setting of a node.
struct CommandOption {
  std::string_view name, placeholder, help;
  bool is_switch = false;
};

struct Command {
  std::string_view name;       // "image import"
  std::string_view arguments;  // placeholder of positional ones; empty = none
  std::string_view help;
  std::span<const std::string_view> settings;  // names of run settings it takes; empty = none
  bool all_settings = false;
  bool arguments_required = false;
  int (*run)(const Invocation& invocation) = nullptr;
  std::span<const CommandOption> options;
  bool has_output = false;  // takes -o text|json
};
std::span<const Command> command_list();

int run_node(const Invocation& invocation);
int run_version(const Invocation& invocation);
int run_reset(const Invocation& invocation);
int run_check(const Invocation& invocation);
int run_completion(const Invocation& invocation);
int run_certs_list(const Invocation& invocation);
int run_certs_rotate_ca(const Invocation& invocation);
int run_image_import(const Invocation& invocation);
int run_image_list(const Invocation& invocation);
int run_rotate_service_account(const Invocation& invocation);
int run_token_create(const Invocation& invocation);
int run_token_generate(const Invocation& invocation);
int run_token_list(const Invocation& invocation);
int run_token_rotate(const Invocation& invocation);
int run_token_delete(const Invocation& invocation);

// The configuration of an invocation: files, environment, flags.
base::Result<Config> config_of(const Invocation& invocation);
// Prints "skiff: <sentence>" on stderr; 2 for wrong usage, else 1.
int fail(const base::Status& status);

}  // namespace skiff::app
