// tools/naru/completion_command.cpp: `naru completion`, from the command line's own description.
#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>

#include "tools/naru/commands.hpp"
#include "tools/naru/output.hpp"

namespace naru::tools {
namespace {

// What may stand where a value does: "files", the words of a fixed set, or "nothing".
std::string values_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();  // With its checks: "VERSION:{5,3.1.1}".
  const std::size_t begin = type.find('{'), end = type.find('}');
  if (begin != std::string::npos && end != std::string::npos && begin < end) {
    std::string words = type.substr(begin + 1, end - begin - 1);
    std::ranges::replace(words, ',', ' ');
    return words;
  }
  const std::string name = option.get_positional() ? option.get_name(true) : "";
  const bool is_path =
      type.starts_with("FILE") || type.starts_with("PATH") || name == "file" || name == "directory";
  return is_path ? "files" : "nothing";
}

// For each command, by its path: "clients list" is entered from "clients" with the word "list".
struct Cases {
  std::string steps;   // "clients/list") path="clients list" ;;
  std::string values;  // "pub -f") kind="files" ;;
  std::string words;   // "clients") words="list show ..." options="--limit ..." kind="nothing" ;;
};

void describe_options(const CLI::App& app, const std::string& path, std::string& names,
                      Cases& cases) {
  const std::string anywhere = path.empty() ? "*" : "";
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names += " --" + name;
    if (option->get_items_expected_max() == 0) continue;  // A flag.
    std::string patterns;
    const auto add = [&](const std::string& name) {
      patterns += (patterns.empty() ? "" : "|") + anywhere + "\"" + path + " " + name + "\"";
    };
    for (const std::string& name : option->get_snames()) add("-" + name);
    for (const std::string& name : option->get_lnames()) add("--" + name);
    if (patterns.empty()) continue;  // It has only a position.
    cases.values += "      " + patterns + ") kind=\"" + values_of(*option) + "\" ;;\n";
  }
}

void describe(const CLI::App& app, const std::string& path, const std::string& everywhere,
              Cases& cases) {
  std::string words, options, positions;
  for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string& name = each->get_name();
    const std::string inner = path.empty() ? name : path + " " + name;
    words += " " + name;
    cases.steps += "      \"" + path + "/" + name + "\") path=\"" + inner + "\" ;;\n";
    describe(*each, inner, everywhere, cases);
  }
  describe_options(app, path, options, cases);
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) positions += " \"" + values_of(*option) + "\"";
  }
  cases.words += "    \"" + path + "\") words=\"" + words + "\" options=\"" + options +
                 (path.empty() ? "" : everywhere) + "\" positions=(" + positions + " ) ;;\n";
}

// A value of an option is no word of the command; a word that is no command is a position.
constexpr const char* walk = R"(_naru() {
  local path="" words="" options="" kind="" seen=0 i
  local current="${COMP_WORDS[COMP_CWORD]}" positions=() IFS=$' \t\n'
  for ((i = 1; i < COMP_CWORD; i++)); do
    kind=""
    case "$path ${COMP_WORDS[i]}" in
)";
constexpr const char* step = R"(    esac
    if [ -n "$kind" ]; then
      i=$((i + 1))
      [ "${COMP_WORDS[i]}" = "=" ] && [ "$i" -lt "$COMP_CWORD" ] && i=$((i + 1))
      [ "$i" -lt "$COMP_CWORD" ] && kind=""
      continue
    fi
    case "$path/${COMP_WORDS[i]}" in
)";
constexpr const char* offer = R"(      */-*) ;;
      *) seen=$((seen + 1)) ;;
    esac
  done
  [ "$current" = "=" ] && current=""
  case "$path" in
)";
constexpr const char* reply = R"(  esac
  if [ -z "$kind" ]; then
    case "$current" in
      -*) kind="$options" ;;
      *)
        [ "$seen" -lt "${#positions[@]}" ] && kind="${positions[*]:$seen:1}"
        [ "$seen" -eq 0 ] && kind="$words $kind"
        [ "$kind" = " " ] && kind="$options"
        ;;
    esac
  fi
  case "$kind" in
    *nothing) kind="${kind%nothing}" ;;
    *files)
      compopt -o filenames 2>/dev/null
      current="${current/#\~\//$HOME/}"
      IFS=$'\n'
      COMPREPLY=($(compgen -f -- "$current"))
      return
      ;;
  esac
  COMPREPLY=($(compgen -W "$kind" -- "$current"))
}
complete -F _naru naru
)";

std::string bash_script(const CLI::App& app) {
  std::string global;
  Cases cases;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      if (name != "help") global += " --" + name;  // Each command has its own.
    }
  }
  describe(app, "", global, cases);
  return walk + cases.values + step + cases.steps + offer + cases.words + reply;
}

}  // namespace

void add_completion_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("completion", "Print a script that completes words");
  const auto shell = std::make_shared<std::string>();
  command->footer("Example: source <(naru completion bash)");
  command->add_option("shell", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  command->callback([&app, &invocation, shell] {
    invocation.run = [&app, shell]() -> Outcome {
      // zsh understands bash's once it is told to.
      if (*shell == "zsh") print("autoload -U +X bashcompinit && bashcompinit\n");
      print(bash_script(app));
      return ExitCode::done;
    };
  });
}

}  // namespace naru::tools
