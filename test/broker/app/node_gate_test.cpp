// test/broker/app/node_gate_test.cpp
//
// Goal: the gate follows the operator's files, and a wrong file changes nothing. Method: files in a
// directory of the test's own, loaded, changed and loaded again.

#include "broker/app/node_gate.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

namespace naru::broker {
namespace {

struct Files {
  Files() { std::filesystem::create_directories(directory); }
  ~Files() { std::filesystem::remove_all(directory); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream{directory / name, std::ios::trunc} << text;
    return directory / name;
  }

  std::filesystem::path directory =
      std::filesystem::temp_directory_path() /
      ("naru-gate-" + std::to_string(reinterpret_cast<std::uintptr_t>(this)));
};

std::string line_of(const std::string& user, const std::string& password) {
  return *hash_line(user, password, "saltsaltsalt") + "\n";
}

Config with_files(const std::string& passwords, const std::string& acl) {
  Config config;
  config.listeners.resize(2);
  config.password_file = passwords;
  config.acl_file = acl;
  return config;
}

Applicant named(BytesView user, BytesView password) { return {0, user, password}; }

}  // namespace

TEST_CASE("NodeGate lets in whom the password file knows", "[gate]") {
  const Files files;
  NodeGate gate;
  const Config config = with_files(files.write("p", line_of("alice", "one")), "");
  REQUIRE(gate.load(config).has_value());
  CHECK(gate.admit(named("alice", "one")).is_admitted());
  CHECK_FALSE(gate.admit(named("alice", "two")).is_admitted());
  CHECK_FALSE(gate.admit(named("bob", "one")).is_admitted());
  CHECK_FALSE(gate.admit({0, std::nullopt, {}}).is_admitted());
  CHECK(gate.acl_of(0) == nullptr);
}

TEST_CASE("NodeGate knows after a reload whose line has changed", "[gate]") {
  const Files files;
  NodeGate gate;
  const Config config =
      with_files(files.write("p", line_of("alice", "one") + line_of("bob", "b")), "");
  REQUIRE(gate.load(config).has_value());
  const std::uint64_t alice = gate.admit(named("alice", "one")).proof;
  const std::uint64_t bob = gate.admit(named("bob", "b")).proof;
  CHECK(gate.still_admits(0, "alice", alice));
  CHECK_FALSE(gate.still_admits(0, "alice", bob));
  CHECK_FALSE(gate.still_admits(0, "", 0));

  files.write("p", line_of("alice", "two"));
  REQUIRE(gate.load(config).has_value());
  CHECK_FALSE(gate.still_admits(0, "alice", alice));
  CHECK_FALSE(gate.still_admits(0, "bob", bob));
}

TEST_CASE("NodeGate keeps its tables where a file is wrong, and names all that is", "[gate]") {
  const Files files;
  NodeGate gate;
  const Config config =
      with_files(files.write("p", line_of("alice", "one")), files.write("a", "topic read a\n"));
  REQUIRE(gate.load(config).has_value());
  files.write("p", "alice\n");
  files.write("a", "topics\n");
  const auto again = gate.load(config);
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().text.find("/p:1: ") != std::string::npos);
  CHECK(again.error().text.find("/a:1: ") != std::string::npos);
  CHECK(gate.admit(named("alice", "one")).is_admitted());
  CHECK(gate.acl_of(0)->check({"", "c"}, Access::read, "a").allowed);
}

TEST_CASE("NodeGate says of each file that it cannot read which line names it, and why", "[gate]") {
  const Files files;
  const std::string none = files.directory / "none", folder = files.directory;
  Config config = with_files(none, none);
  config.jwt_secret_file = folder;
  config.jwt_key_file = "/proc/self/mem";  // Opens, and then fails to read.
  unsigned line = 0;
  for (const char* const key : {"password_file", "acl_file", "jwt_secret_file", "jwt_key_file"}) {
    config.places.by_key[key] = {"a.conf", ++line};
  }
  const auto loaded = NodeGate{}.load(config);
  REQUIRE_FALSE(loaded.has_value());
  const std::string remedy = "; it must be a file that narud may read";
  const std::string why = "No such file or directory" + remedy;
  CHECK(loaded.error().text ==
        "a.conf:1: error: password_file " + none + ": " + why + "\n" +
            "a.conf:3: error: jwt_secret_file " + folder + ": Is a directory" + remedy + "\n" +
            "a.conf:4: error: jwt_key_file /proc/self/mem: Input/output error" + remedy + "\n" +
            "a.conf:2: error: acl_file " + none + ": " + why);
}

TEST_CASE("NodeGate lets a will out where any listener does", "[gate]") {
  const Files files;
  Config config = with_files("", "");
  config.per_listener_settings = true;
  config.listeners[0].acl_file = files.write("a", "topic write a\n");
  config.listeners[1].acl_file = files.write("b", "topic write b\n");
  NodeGate gate;
  REQUIRE(gate.load(config).has_value());
  CHECK(gate.admits_will({"", "c"}, "a"));
  CHECK(gate.admits_will({"", "c"}, "b"));
  CHECK_FALSE(gate.admits_will({"", "c"}, "d"));
  CHECK(gate.acl_of(7) == nullptr);
}

TEST_CASE("NodeGate leaves to another thread what takes long", "[gate]") {
  const Files files;
  const std::string slow = *scram_line("slow", "s", "saltsaltsalt") + "\n";
  const Config config = with_files(files.write("p", line_of("alice", "one") + slow), "");
  NodeGate gate;
  REQUIRE(gate.load(config).has_value());
  CHECK(gate.admit(named("alice", "one")).is_admitted());
  CHECK(gate.admit(named("slow", "s")).verdict == Admission::Verdict::later);
  CHECK(gate.admit_slowly(named("slow", "s")).is_admitted());
  CHECK_FALSE(gate.admit_slowly(named("slow", "x")).is_admitted());
  CHECK_FALSE(gate.admit_slowly(named("nobody", "s")).is_admitted());
  // Where every line takes long an unknown user does.
  REQUIRE(gate.load(with_files(files.write("p", slow), "")).has_value());
  CHECK(gate.admit(named("nobody", "s")).verdict == Admission::Verdict::later);
}

TEST_CASE("NodeGate gives unknown users an account that nobody can prove", "[gate][scram]") {
  const Files files;
  NodeGate gate;
  CHECK_FALSE(gate.scram_account(0, "alice"));
  const std::string lines = line_of("alice", "one") + *scram_line("car", "c", "saltsaltsalt");
  REQUIRE(gate.load(with_files(files.write("p", lines), "")).has_value());
  const auto car = gate.scram_account(0, "car"), none = gate.scram_account(0, "nobody");
  REQUIRE(car);
  REQUIRE(none);
  CHECK(car->proof != 0);
  CHECK(gate.still_admits(0, "car", car->proof));
  CHECK(none->proof == 0);
  CHECK(none->keys.salt.size() == car->keys.salt.size());
  CHECK(none->keys.iterations == car->keys.iterations);
  CHECK(none->keys.salt == gate.scram_account(0, "nobody")->keys.salt);
  CHECK(none->nonce != gate.scram_account(0, "nobody")->nonce);
  CHECK(none->nonce.find(',') == Bytes::npos);
}

TEST_CASE("What a service has said counts while it is the one to ask about the user", "[gate]") {
  const Files files;
  Config config = with_files(files.write("p", line_of("alice", "one")), "");
  config.auth_http_url = "http://access.example/auth";
  NodeGate gate;
  REQUIRE(gate.load(config).has_value());
  CHECK(gate.admit(named("dev", "x")).verdict == Admission::Verdict::later);
  const std::uint64_t proof = gate.service_for(0, "dev").proof();
  REQUIRE(proof != 0);
  CHECK(gate.still_admits(0, "dev", proof));

  SECTION("and not once password_file has a line for it") {
    files.write("p", line_of("alice", "one") + line_of("dev", "two"));
    REQUIRE(gate.load(config).has_value());
    CHECK_FALSE(gate.still_admits(0, "dev", proof));
    CHECK(gate.still_admits(0, "other", proof));
  }
  SECTION("and not once another service is asked") {
    config.auth_http_url = "http://access.example/auth2";
    REQUIRE(gate.load(config).has_value());
    CHECK_FALSE(gate.still_admits(0, "dev", proof));
  }
}

TEST_CASE("NodeGate says which client ids there may be", "[gate]") {
  Config config = with_files("", "");
  config.clientid_prefixes = "car-";
  config.listeners[1].clientid_from = ClientIdFrom::username;
  NodeGate gate;
  REQUIRE(gate.load(config).has_value());
  CHECK(gate.client_ids(0).from == ClientIdRule::From::client);
  CHECK(gate.client_ids(0).prefix == "car-");
  CHECK(gate.client_ids(1).from == ClientIdRule::From::user);
  config.listeners[1].clientid_from = ClientIdFrom::cn;
  REQUIRE(gate.load(config).has_value());
  CHECK(gate.client_ids(1).from == ClientIdRule::From::common_name);
}

}  // namespace naru::broker
