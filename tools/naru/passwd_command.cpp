// tools/naru/passwd_command.cpp: `naru passwd`, the users of a password_file.
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include "broker/auth/password_file.hpp"
#include "tools/naru/commands.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/password_lines.hpp"

namespace naru::tools {
namespace {

struct PasswdOptions {
  std::string file;
  std::string user;
  bool remove = false;
  bool scram = false;
};

// Typed characters stay unseen while this lives.
class QuietTerminal {
 public:
  QuietTerminal() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;
  ~QuietTerminal() {
    if (changed_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }

 private:
  termios before_{};
  bool changed_ = false;
};

std::string ask(const char* question) {
  std::cerr << question << std::flush;
  std::string line;
  {
    const QuietTerminal quiet;
    std::getline(std::cin, line);
  }
  std::cerr << '\n';
  return line;
}

// From a terminal twice, so that a slip is noticed; else the first line of standard input.
Result<std::string> read_password() {
  std::string password;
  if (isatty(STDIN_FILENO) == 1) {
    password = ask("Password: ");
    if (ask("Again: ") != password) return Error{Errc::refused, "the two passwords differ"};
  } else {
    std::getline(std::cin, password);
  }
  if (password.empty()) return Error{Errc::refused, "an empty password is none"};
  return password;
}

Error file_error(const std::string& what) { return {Errc::io, what + ": " + std::strerror(errno)}; }

Result<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error("cannot write");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (fsync(fd) != 0) return file_error("cannot write");
  return {};
}

// A broker that reads meanwhile sees the old file or the new one, never half of it.
Result<void> replace_file(const std::string& path, std::string_view text) {
  struct stat before {};
  const bool existed = stat(path.c_str(), &before) == 0;
  const std::string fresh = path + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return file_error("cannot write " + fresh);
  auto written = write_all(fd, text);
  // The broker's user must still be able to read it.
  if (written && existed &&
      (fchmod(fd, before.st_mode & 07777u) != 0 || fchown(fd, before.st_uid, before.st_gid) != 0)) {
    written = file_error("cannot keep the owner and mode of " + path);
  }
  close(fd);
  if (written && rename(fresh.c_str(), path.c_str()) != 0) {
    written = file_error("cannot replace " + path);
  }
  if (!written) unlink(fresh.c_str());
  return written;
}

Outcome run_passwd(const PasswdOptions& options) {
  std::string text;
  if (access(options.file.c_str(), F_OK) == 0) {
    std::ifstream file{options.file, std::ios::binary};
    if (!file) return file_error("cannot read " + options.file);
    text.assign(std::istreambuf_iterator<char>{file}, {});
  }
  if (options.remove) {
    if (!remove_user(text, options.user)) {
      return Error{Errc::not_found, "there is no user " + options.user + " in " + options.file};
    }
  } else {
    const auto password = read_password();
    if (!password) return password.error();
    const auto make_line = options.scram ? &broker::scram_line : &broker::hash_line;
    const auto line = make_line(options.user, *password, broker::make_salt());
    if (!line) return line.error();
    set_user(text, options.user, *line);
  }
  const auto replaced = replace_file(options.file, text);
  if (!replaced) return replaced.error();
  return ExitCode::done;
}

}  // namespace

void add_passwd_command(CLI::App& app, Invocation& invocation) {
  CLI::App* passwd = app.add_subcommand("passwd", "Set or remove a user's password in a file");
  const auto options = std::make_shared<PasswdOptions>();
  passwd->footer(
      "Example: naru passwd /etc/naru/passwd car-0001\n"
      "The password is asked for, or read from standard input in a pipe.");
  passwd->add_option("file", options->file, "The password_file, as mosquitto's; made if need be")
      ->required();
  passwd->add_option("user", options->user, "The user's name")->required();
  passwd->add_flag("--scram", options->scram,
                   "Write a line that serves SCRAM-SHA-256 and plain passwords; mosquitto cannot "
                   "read it");
  passwd->add_flag("-D,--delete", options->remove, "Remove the user");
  passwd->callback(
      [&invocation, options] { invocation.run = [options] { return run_passwd(*options); }; });
}

}  // namespace naru::tools
