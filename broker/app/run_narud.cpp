#include "broker/app/run_narud.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "broker/app/code_pages.hpp"
#include "broker/app/command_line.hpp"
#include "broker/app/pid_file.hpp"
#include "broker/app/service_socket.hpp"
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

// One line for `systemctl status`.
std::string status_of(const Node& node) {
  std::string text = "listening on";
  for (const OpenListener& each : node.listeners()) {
    text.append(" ").append(each.address);
    if (each.port != 0) text.append(":").append(std::to_string(each.port));
  }
  return text + "; connections: " + std::to_string(node.connections());
}

// What systemd hears between two signals: where something hangs nothing, and it acts in the end.
class SignsOfLife {
 public:
  SignsOfLife(Node& node, const ServiceSocket& service) : node_(node), service_(service) {}

  // Zero: nobody listens.
  Duration every() const {
    if (!service_.is_open()) return Duration{0};
    return service_.watchdog() == Duration{0} ? Seconds{10} : service_.watchdog() / 4;
  }
  void give() {
    const std::string stuck = node_.stuck_part(every());
    if (stuck.empty()) {
      service_.alive();
    } else if (was_well_) {
      log(Severity::error, "no_progress", {{"reason", stuck}});
    }
    was_well_ = stuck.empty();
    service_.status(stuck.empty() ? status_of(node_) : stuck);
  }

 private:
  Node& node_;
  const ServiceSocket& service_;
  bool was_well_ = true;
};

int next_signal(const sigset_t& signals, SignsOfLife& life) {
  const auto micros = life.every().count();
  const timespec wait{micros / 1'000'000, micros % 1'000'000 * 1000};
  while (true) {
    const int signal =
        micros == 0 ? sigwaitinfo(&signals, nullptr) : sigtimedwait(&signals, nullptr, &wait);
    if (signal > 0) return signal;
    if (errno == EAGAIN) life.give();
  }
}

void connect_reloads(Node& node, const ServiceSocket& service) {
  node.tell_reloads_to([&node, &service](bool begins) {
    if (begins) {
      service.reloading(node.now());
    } else {
      service.ready(status_of(node));
    }
  });
}

class Start {
 public:
  Start(CommandLine& line, const Variation& variation, const ServiceSocket& service)
      : line_(line), variation_(variation), service_(service) {}

  // Once more where a damaged store is set aside: what was read of it is nobody's.
  Result<std::unique_ptr<Node>> run() {
    service_.status("reading the store");
    auto node = make();
    auto started = node->start();
    if (!started && started.error().code == Errc::corrupt) {
      node.reset();
      const auto answered = answer_corruption(*line_.config, SystemClock{}, started.error());
      if (!answered) return answered.error();
      node = make();
      started = node->start();
    }
    if (!started) return started.error();
    return node;
  }

 private:
  std::unique_ptr<Node> make() {
    auto node = std::make_unique<Node>(*line_.config, variation_.node);
    node->read_again_by([reread = line_.reread, adjust = variation_.adjust] {
      ConfigOutcome outcome = reread();
      if (adjust) adjust(outcome.config);
      return outcome;
    });
    connect_reloads(*node, service_);
    return node;
  }

  CommandLine& line_;
  const Variation& variation_;
  const ServiceSocket& service_;
};

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
  const ServiceSocket service{ServiceSocket::path_from_environment(),
                              ServiceSocket::watchdog_from_environment()};
  PidFile pid_file{*line.config};
  auto started = Start{line, variation, service}.run();
  if (started) {
    const auto written = pid_file.write();
    if (!written) started = written.error();
  }
  if (!started) {
    std::fprintf(stderr, "narud: %s\n", started.error().text.c_str());
    service.status("cannot start: " + started.error().text);
    return 1;
  }
  Node& node = **started;
  log(Severity::notice, "started", {{"version", NARU_VERSION}});
  service.ready(status_of(node));
  give_back_code_pages();
  SignsOfLife life{node, service};
  int signal = next_signal(signals, life);
  for (; signal == SIGHUP; signal = next_signal(signals, life)) node.reload_now();
  if (signal == variation.end_signal) variation.on_end_signal();
  log(Severity::notice, "stopping", {{"signal", signal}});
  service.stopping();
  node.stop();
  log(Severity::notice, "stopped");
  return 0;
}

}  // namespace naru::broker
