// tools/naru/completion_command.cpp: `naru completion`, from the command line's own description.
#include <memory>

#include <CLI/CLI.hpp>

#include "tools/naru/commands.hpp"
#include "tools/naru/output.hpp"

namespace naru::tools {
namespace {

std::string option_names(const CLI::App& app) {
  std::string words;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words += " --" + name;
  }
  return words;
}

// For each command, by its path: "clients list" is entered from "clients" with the word "list".
struct Cases {
  std::string steps;  // "clients/list") path="clients list" ;;
  std::string words;  // "clients list") words="--connected ..." ;;
};

void describe(const CLI::App& app, const std::string& path, const std::string& everywhere,
              Cases& cases) {
  std::string words;
  for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string& name = each->get_name();
    const std::string inner = path.empty() ? name : path + " " + name;
    words += " " + name;
    cases.steps += "      \"" + path + "/" + name + "\") path=\"" + inner + "\" ;;\n";
    describe(*each, inner, everywhere, cases);
  }
  words += option_names(app);
  if (!path.empty()) words += everywhere;
  cases.words += "    \"" + path + "\") words=\"" + words.substr(1) + "\" ;;\n";
}

std::string bash_script(const CLI::App& app) {
  Cases cases;
  describe(app, "", option_names(app), cases);
  return "_naru() {\n"
         "  local path=\"\" words=\"\" i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case \"$path/${COMP_WORDS[i]}\" in\n" +
         cases.steps +
         "    esac\n"
         "  done\n"
         "  case \"$path\" in\n" +
         cases.words +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "}\n"
         "complete -o default -F _naru naru\n";
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
