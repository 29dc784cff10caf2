#include "test/system/kill_loop_process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace naru::test {
namespace {

constexpr Duration start_limit = Seconds{60};
constexpr Duration end_limit = Seconds{20};

Instant now() { return SystemClock{}.now(); }
// Between two looks at a file or a process; what is waited for is the state, not the time.
void pause_briefly() { ::usleep(1000); }

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A port that was free a moment ago, for brokers that cannot choose one themselves.
std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  const bool bound = ::bind(fd, raw, size) == 0 && ::getsockname(fd, raw, &size) == 0;
  ::close(fd);
  return bound ? ntohs(address.sin_port) : std::uint16_t{0};
}

// In the child: only exec and _exit from here on.
[[noreturn]] void become(const std::vector<std::string>& arguments, const std::string& log) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // Nothing stays behind when the loop itself dies.
  const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::dup2(fd, STDOUT_FILENO);
  ::dup2(fd, STDERR_FILENO);
  std::vector<char*> raw;
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  ::execv(raw[0], raw.data());
  ::_exit(127);
}

std::string describe(int status) {
  if (WIFEXITED(status)) return "exit code " + std::to_string(WEXITSTATUS(status));
  return "signal " + std::to_string(WTERMSIG(status));
}

}  // namespace

BrokerProcess::BrokerProcess(BrokerOptions options) : options_(std::move(options)) {}

BrokerProcess::~BrokerProcess() {
  if (!is_running()) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status_, 0);
}

std::vector<std::string> BrokerProcess::arguments() const {
  const std::string& at = options_.directory;
  if (options_.mosquitto) return {options_.program, "-c", at + "/broker.conf"};
  std::vector<std::string> all = {options_.program, "--data",       at + "/data",    "--port-file",
                                  at + "/port",     "--api-socket", at + "/api.sock"};
  if (options_.front_hop_encode || options_.shards != 0) {
    all.insert(all.end(), {"-c", at + "/broker.conf"});
  } else {
    all.insert(all.end(), {"--listen", "auto"});
  }
  if (!options_.plant.empty()) all.insert(all.end(), {"--plant", options_.plant});
  return all;
}

Result<void> BrokerProcess::write_configuration() {
  std::error_code error;
  std::filesystem::create_directories(options_.directory + "/data", error);
  if (error) return Error{Errc::io, "cannot make " + options_.directory + ": " + error.message()};
  std::filesystem::remove(options_.directory + "/port", error);
  std::ofstream file(options_.directory + "/broker.conf");
  if (options_.mosquitto) {
    port_ = free_port();
    file << "listener " << port_ << " 127.0.0.1\nallow_anonymous true\nuser root\n"
         << "persistence true\npersistence_location " << options_.directory << "/data/\n"
         << "autosave_on_changes true\nautosave_interval 500\nmax_queued_messages 0\n";
  } else {
    if (options_.front_hop_encode) file << "front_hop encode\n";
    if (options_.shards != 0) file << "shards " << options_.shards << '\n';
    file << "allow_anonymous true\nlistener auto 127.0.0.1\n";
  }
  file.close();
  if (!file) return Error{Errc::io, "cannot write into " + options_.directory};
  return {};
}

bool BrokerProcess::accepts() {
  if (!options_.mosquitto) {
    std::ifstream file(options_.directory + "/port");
    std::string address;
    unsigned port = 0;
    if (!(file >> address >> port)) return false;
    port_ = static_cast<std::uint16_t>(port);
    return true;
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port_);
  const bool open = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return open;
}

Result<Duration> BrokerProcess::start() {
  if (const auto written = write_configuration(); !written) return written.error();
  const std::vector<std::string> all = arguments();
  const std::string log = options_.directory + "/broker.log";
  const Instant began = now();
  pid_ = ::fork();
  if (pid_ == 0) become(all, log);
  if (pid_ < 0) return Error{Errc::unavailable, "cannot fork"};
  while (!accepts()) {
    if (!is_running())
      return Error{Errc::io, "the broker ended at start (" + describe(status_) + "), see " + log};
    if (now() - began > start_limit)
      return Error{Errc::unavailable, "the broker does not listen in time, see " + log};
    pause_briefly();
  }
  return now() - began;
}

bool BrokerProcess::is_running() {
  if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
  return pid_ > 0;
}

Result<void> BrokerProcess::wait_for_end(Duration limit) {
  const Instant until = now() + limit;
  while (is_running()) {
    if (now() > until) return Error{Errc::unavailable, "the broker does not end in time"};
    pause_briefly();
  }
  return {};
}

Result<void> BrokerProcess::kill_hard() {
  if (!is_running()) return Error{Errc::io, "the broker had ended by itself: " + describe(status_)};
  ::kill(pid_, SIGKILL);
  return wait_for_end(end_limit);
}

Result<void> BrokerProcess::lose_power() {
  if (!is_running()) return Error{Errc::io, "the broker had ended by itself: " + describe(status_)};
  ::kill(pid_, SIGUSR2);
  if (const auto ended = wait_for_end(end_limit); !ended) return ended;
  // A build without the wrapper dies of the signal and keeps all its bytes: no test at all.
  if (WIFSIGNALED(status_))
    return Error{Errc::invalid, "the broker is no power-loss build: " + describe(status_)};
  return {};
}

Result<void> BrokerProcess::stop() {
  if (!is_running()) return Error{Errc::io, "the broker had ended by itself: " + describe(status_)};
  ::kill(pid_, SIGTERM);
  if (const auto ended = wait_for_end(end_limit); !ended) return ended;
  if (!WIFEXITED(status_) || WEXITSTATUS(status_) != 0)
    return Error{Errc::io, "the broker did not stop cleanly: " + describe(status_)};
  return {};
}

}  // namespace naru::test
