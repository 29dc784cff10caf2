// narud: reads its configuration, runs a node until it is told to stop.

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>

#include "broker/app/command_line.hpp"
#include "broker/app/node.hpp"
#include "storage/base/log.hpp"

namespace {

// As many descriptors as we are allowed; every connection needs one.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace naru;
  // Blocked before any thread starts, so that only the wait below sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  broker::CommandLine line = broker::read_command_line(argc, argv);
  if (!line.config) return line.exit_code;
  const auto opened = open_log(broker::log_options(*line.config));
  if (!opened) {
    std::fprintf(stderr, "narud: %s\n", opened.error().text.c_str());
    return 2;
  }
  raise_descriptor_limit();
  broker::Node node{std::move(*line.config)};
  const auto started = node.start();
  if (!started) {
    std::fprintf(stderr, "narud: %s\n", started.error().text.c_str());
    return 1;
  }
  log(Severity::notice, "started", {{"version", NARU_VERSION}});
  int signal = 0;
  sigwait(&signals, &signal);
  log(Severity::notice, "stopping", {{"signal", signal}});
  node.stop();
  log(Severity::notice, "stopped");
  return 0;
}
