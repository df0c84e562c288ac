#include <skiff/base/strings.h>

#include "app/commands/command_list.h"

#include <cstdio>

namespace skiff::app {

namespace {

std::vector<std::string> first_words() {
  std::vector<std::string> words;
  for (const auto& command : command_list()) {
    std::string word(base::split(command.name, ' ')[0]);
    if (words.empty() || words.back() != word) words.push_back(word);
  }
  return words;
}

// The words after "skiff image".
std::vector<std::string> second_words(std::string_view first) {
  std::vector<std::string> words;
  for (const auto& command : command_list()) {
    auto parts = base::split(command.name, ' ');
    if (parts.size() == 2 && parts[0] == first) words.emplace_back(parts[1]);
  }
  return words;
}

std::vector<std::string> flags_of(const Command& command) {
  std::vector<std::string> flags;
  for (const auto& setting : run_settings()) {
    bool takes = command.all_settings;
    for (auto name : command.settings) takes = takes || name == setting.name;
    if (takes) flags.push_back(base::concat("--", setting.name));
  }
  if (!flags.empty()) flags.push_back("--config");
  for (const auto& option : command.options) flags.push_back(base::concat("--", option.name));
  return flags;
}

std::string bash() {
  std::string text =
      "_skiff() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} words=\n"
      "  case \"${COMP_WORDS[*]:1:COMP_CWORD-1}\" in\n";
  text += base::concat("    '') words='", base::join(first_words(), " "), "' ;;\n");
  for (const auto& first : first_words())
    if (auto second = second_words(first); !second.empty())
      text += base::concat("    ", first, ") words='", base::join(second, " "), "' ;;\n");
  for (const auto& command : command_list())
    if (auto flags = flags_of(command); !flags.empty())
      text += base::concat("    '", command.name, "'*) words='", base::join(flags, " "), "' ;;\n");
  text +=
      "  esac\n"
      "  mapfile -t COMPREPLY < <(compgen -f -W \"$words\" -- \"$current\")\n"
      "}\n"
      "complete -o filenames -F _skiff skiff\n";
  return text;
}

std::string fish() {
  std::string text = "complete -c skiff -f\n";
  for (const auto& command : command_list()) {
    auto parts = base::split(command.name, ' ');
    std::string seen = parts.size() == 2 ? base::concat("__fish_seen_subcommand_from ", parts[0])
                                         : std::string("__fish_use_subcommand");
    if (parts.size() == 2)
      text += base::concat("complete -c skiff -n __fish_use_subcommand -a ", parts[0], "\n");
    text += base::concat("complete -c skiff -n '", seen, "' -a ", parts.back(), " -d '",
                         command.help, "'\n");
    for (const auto& flag : flags_of(command))
      text += base::concat("complete -c skiff -n '__fish_seen_subcommand_from ", parts.back(),
                           "' -l ", flag.substr(2), " -r\n");
  }
  return text;
}

}  // namespace

int run_completion(const Invocation& invocation) {
  const std::string& shell = invocation.arguments[0];
  std::string text;
  if (shell == "bash")
    text = bash();
  else if (shell == "zsh")
    text = "autoload -U +X bashcompinit && bashcompinit\n" + bash();
  else if (shell == "fish")
    text = fish();
  else
    return fail(base::invalid_argument(
        base::concat("no completion for ", base::quote(shell), "; there is bash, zsh and fish")));
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace skiff::app
