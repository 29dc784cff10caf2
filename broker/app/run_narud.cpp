#include "broker/app/run_narud.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>

#include "broker/app/command_line.hpp"
#include "storage/base/log.hpp"

namespace naru::broker {

namespace {

// As many descriptors as we are allowed; every connection needs one.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Blocked before any thread starts, so that only the wait for them sees them.
sigset_t block_signals(const Variation& variation) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  if (variation.end_signal != 0) sigaddset(&signals, variation.end_signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return signals;
}

}  // namespace

int run_narud(int argc, char** argv, const Variation& variation) {
  const sigset_t signals = block_signals(variation);
  CommandLine line = read_command_line(argc, argv);
  if (!line.config) return line.exit_code;
  if (variation.adjust) variation.adjust(*line.config);
  const auto opened = open_log(log_options(*line.config));
  if (!opened) {
    std::fprintf(stderr, "narud: %s\n", opened.error().text.c_str());
    return 2;
  }
  raise_descriptor_limit();
  Node node{std::move(*line.config), variation.node};
  node.read_again_by([reread = line.reread, adjust = variation.adjust] {
    ConfigOutcome outcome = reread();
    if (adjust) adjust(outcome.config);
    return outcome;
  });
  const auto started = node.start();
  if (!started) {
    std::fprintf(stderr, "narud: %s\n", started.error().text.c_str());
    return 1;
  }
  log(Severity::notice, "started", {{"version", NARU_VERSION}});
  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) node.reload_now();
  if (signal == variation.end_signal) variation.on_end_signal();
  log(Severity::notice, "stopping", {{"signal", signal}});
  node.stop();
  log(Severity::notice, "stopped");
  return 0;
}

}  // namespace naru::broker
