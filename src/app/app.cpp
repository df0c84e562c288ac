#include <skiff/app/app.h>
#include <skiff/base/strings.h>

#include "app/commands/command_list.h"

#include <CLI/CLI.hpp>

#include <deque>
#include <memory>

namespace skiff::app {

namespace {

// What CLI11 fills while it parses one command.
struct Parsed {
  const Command* command = nullptr;
  CLI::App* app = nullptr;
  std::map<std::string, std::vector<std::string>> flags;
  std::map<std::string, std::string, std::less<>> options;
  std::vector<std::string> arguments;
  std::string config_file;
  std::string output;
};

// Of commands of two words.
std::string_view group_help(std::string_view word) {
  if (word == "certs") return "certificates of this node, and the cluster's CA";
  return word == "token" ? "tokens that boards join the cluster with" : "images of this node";
}

bool takes_setting(const Command& command, const Setting& setting) {
  if (command.all_settings) return true;
  for (auto name : command.settings)
    if (name == setting.name) return true;
  return false;
}

CLI::App* find(CLI::App& parent, std::string_view name) {
  for (CLI::App* child : parent.get_subcommands([](CLI::App*) { return true; }))
    if (child->get_name() == name) return child;
  return nullptr;
}

CLI::App* find_or_add(CLI::App& parent, const std::string& name) {
  CLI::App* child = find(parent, name);
  return child != nullptr ? child : parent.add_subcommand(name);
}

void add_flags(Parsed& parsed) {
  const Command& command = *parsed.command;
  CLI::App& app = *parsed.app;
  for (const auto& setting : run_settings()) {
    if (!takes_setting(command, setting)) continue;
    if (setting.is_switch) {
      auto& values = parsed.flags[std::string(setting.name)];
      auto note = [&values](std::int64_t count) { values = {count > 0 ? "true" : "false"}; };
      app.add_flag_function("--" + std::string(setting.name), note, std::string(setting.help));
      continue;
    }
    auto* option =
        app.add_option("--" + std::string(setting.name), parsed.flags[std::string(setting.name)],
                       std::string(setting.help));
    option->type_name(std::string(setting.placeholder));
    if (setting.is_list)
      option->delimiter(',');
    else
      option->take_last()->expected(1)->allow_extra_args(false);
  }
  if (command.all_settings || !command.settings.empty())
    app.add_option("--config", parsed.config_file, "config file (default /etc/skiff/config.yaml)")
        ->type_name("FILE");
  for (const auto& option : command.options) {
    auto& value = parsed.options[std::string(option.name)];
    const std::string flag = base::concat("--", option.name);
    if (option.is_switch) {
      auto note = [&value](std::int64_t count) { value = count > 0 ? "true" : ""; };
      app.add_flag_function(flag, note, std::string(option.help));
    } else {
      app.add_option(flag, value, std::string(option.help))
          ->type_name(std::string(option.placeholder));
    }
  }
  if (command.has_output)
    app.add_option("-o,--output", parsed.output, "output format: text or json")
        ->type_name("FORMAT")
        ->check(CLI::IsMember({"text", "json"}));
  if (!command.arguments.empty()) {
    auto* option = app.add_option("arguments", parsed.arguments, "");
    option->type_name(std::string(command.arguments));
    if (command.arguments_required) option->required();
  }
}

// CLI11 would only say that a command or its "arguments" are missing. Empty when nothing is wrong.
std::string unknown_command(CLI::App& app, int argc, char** argv) {
  CLI::App* group = &app;
  for (int i = 1; i < argc && argv[i][0] != '-'; ++i) {
    if (group->get_subcommands([](CLI::App*) { return true; }).empty()) break;
    group = find(*group, argv[i]);
    if (group == nullptr) return base::concat("there is no command ", base::quote(argv[i]));
  }
  return {};
}

std::string missing_arguments(const std::deque<Parsed>& commands) {
  for (const auto& parsed : commands) {
    const Command& command = *parsed.command;
    if (parsed.app->parsed() && command.arguments_required && parsed.arguments.empty())
      return base::concat(base::quote(command.name), " needs ", command.arguments);
  }
  return {};
}

int fail_usage(std::string_view why) {
  std::fprintf(stderr, "skiff: %.*s; try --help\n", static_cast<int>(why.size()), why.data());
  return 2;
}

Invocation invocation_of(Parsed& parsed) {
  Invocation invocation;
  invocation.arguments = std::move(parsed.arguments);
  invocation.config_file = std::move(parsed.config_file);
  invocation.json = parsed.output == "json";
  for (auto& [name, value] : parsed.options)
    if (!value.empty()) invocation.options.emplace(name, std::move(value));
  for (auto& [name, values] : parsed.flags)
    if (!values.empty()) invocation.flags.emplace(name, std::move(values));
  return invocation;
}

}  // namespace

int run(int argc, char** argv) {
  CLI::App app("skiff: a whole Kubernetes in one process", "skiff");
  app.require_subcommand(1);
  std::deque<Parsed> commands;
  for (const auto& command : command_list()) {
    Parsed& parsed = commands.emplace_back();
    parsed.command = &command;
    CLI::App* parent = &app;
    for (auto word : base::split(command.name, ' '))
      parent = find_or_add(*parent, std::string(word));
    parsed.app = parent;
    parent->description(std::string(command.help));
    if (auto* group = parent->get_parent(); group != nullptr && group != &app) {
      group->require_subcommand(1);
      group->description(std::string(group_help(group->get_name())));
    }
    add_flags(parsed);
  }
  if (auto unknown = unknown_command(app, argc, argv); !unknown.empty()) return fail_usage(unknown);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::RequiredError& error) {
    const auto missing = missing_arguments(commands);
    return fail_usage(missing.empty() ? error.what() : missing);
  } catch (const CLI::ParseError& error) {
    return fail_usage(error.what());
  }
  for (auto& parsed : commands)
    if (parsed.app->parsed()) return parsed.command->run(invocation_of(parsed));
  return 2;
}

}  // namespace skiff::app
