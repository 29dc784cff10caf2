// test/broker/app/config_check_test.cpp
//
// Goal: place and text of a fault are told apart, however it was written, and secrets that
// everybody may read are noticed. Method: a table; files with modes in a directory of the test's
// own.

#include "broker/app/config_check.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

namespace naru::broker {

TEST_CASE("A fault's place and text are told apart", "[config]") {
  struct Row {
    std::string_view fault, file;
    unsigned line;
    std::string_view text;
  };
  const Row row = GENERATE(values<Row>({
      {"/etc/naru.conf:12: error: no such file", "/etc/naru.conf", 12, "no such file"},
      {"/etc/passwd:3: the password is not hashed: mend it", "/etc/passwd", 3,
       "the password is not hashed: mend it"},
      {"cannot read /etc/acl: no such file", "", 0, "cannot read /etc/acl: no such file"},
      {"C:x: text", "", 0, "C:x: text"},
      {"no place", "", 0, "no place"},
      {"", "", 0, ""},
  }));
  const Problem problem = problem_of(row.fault);
  CHECK(problem.file == row.file);
  CHECK(problem.line == row.line);
  CHECK(problem.text == row.text);
}

TEST_CASE("Secrets that everybody may read are noticed once, with line and remedy", "[config]") {
  namespace fs = std::filesystem;
  int here = 0;
  const fs::path directory =
      fs::temp_directory_path() /
      ("naru-secrets-" + std::to_string(reinterpret_cast<std::uintptr_t>(&here)));
  fs::create_directories(directory);
  const auto write = [&](const std::string& name, unsigned mode) {
    std::ofstream{directory / name} << "x";
    fs::permissions(directory / name, static_cast<fs::perms>(mode));
    return (directory / name).string();
  };
  const std::string passwords = write("p", 0644), secret = write("s", 0604), key = write("k", 0666);
  const std::string closed = write("c", 0640), rights = write("a", 0644);
  Config config;
  config.listeners.resize(3);
  config.password_file = passwords;
  config.jwt_secret_file = secret;
  config.acl_file = config.jwt_key_file = rights;  // No secrets.
  config.places.by_key["password_file"] = {"a.conf", 1};
  config.places.by_key["jwt_secret_file"] = {"a.conf", 2};
  config.listeners[0].keyfile = closed;
  config.listeners[1].keyfile = config.listeners[2].keyfile = key;
  config.listeners[1].places.by_key["keyfile"] = {"a.conf", 7};
  config.bridges.resize(1);
  config.bridges[0].keyfile = directory / "none";
  const auto notice = [](const char* place, const std::string& path) {
    return "a.conf:" + std::string{place} + " " + path +
           ": everybody on this machine may read it; chmod 640 it, and give it the group that "
           "narud runs as";
  };
  std::vector<std::string> told;
  for (const Problem& each : open_secrets(config)) told.push_back(to_string(each));
  CHECK(told == std::vector<std::string>{notice("1: notice: password_file", passwords),
                                         notice("2: notice: jwt_secret_file", secret),
                                         notice("7: notice: keyfile", key)});
  fs::remove_all(directory);
}

}  // namespace naru::broker
