// tools/naru/sub_command.cpp: `naru sub`, printing what is published.
#include <memory>

#include <CLI/CLI.hpp>

#include "tools/naru/argument_checks.hpp"
#include "tools/naru/client_loop.hpp"
#include "tools/naru/commands.hpp"
#include "tools/naru/connection_options.hpp"
#include "tools/naru/message_text.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/time_argument.hpp"

namespace naru::tools {
namespace {

struct SubOptions {
  ConnectionOptions connection;
  std::vector<std::string> filters;
  int qos = 1;
  bool persistent = false;
  bool verbose = false;
  bool no_retained = false;
  std::uint64_t count = 0;
  std::uint64_t wait_s = 0;
  std::uint32_t session_expiry_s = 0xffff'ffff;
  bool has_session_expiry = false;
};

// Subscribes and prints until enough came, time is up, or somebody interrupts.
class Subscriber final : public ClientOwner {
 public:
  Subscriber(ClientLoop& loop, const SubOptions& options, ClientSettings settings, bool json)
      : loop_(loop),
        options_(options),
        form_{.version = settings.version, .with_topic = options.verbose, .json = json},
        connection_(loop, *this, std::move(settings)) {}

  Outcome run() {
    if (options_.wait_s > 0) {
      loop_.call_at(loop_.now() + Seconds{static_cast<std::int64_t>(options_.wait_s)}, *this);
    }
    connection_.open();
    if (failure_.text.empty()) loop_.run();
    // An interrupted subscriber has seen what it wanted, unless it asked for a number.
    if (loop_.interrupted() && connection_.core().online()) {
      finishing_ = true;
      connection_.finish();
      loop_.run();
    }
    if (!failure_.text.empty()) return failure_;
    return received_ < options_.count ? ExitCode::not_done : ExitCode::done;
  }

 private:
  void on_event(const ClientEvent& event) override {
    switch (event.kind) {
      case ClientEvent::Kind::online: subscribe(); break;
      case ClientEvent::Kind::subscribed: on_subscribed(event); break;
      case ClientEvent::Kind::message: on_message(event.message); break;
      case ClientEvent::Kind::refused:
        end({Errc::refused, "the broker refused the connection: " + event.text});
        break;
      case ClientEvent::Kind::failed: end({Errc::refused, event.text}); break;
      case ClientEvent::Kind::acknowledged:
      case ClientEvent::Kind::unsubscribed: break;
    }
  }

  void subscribe() {
    was_online_ = true;
    std::vector<mqtt::SubscribeEntry> entries;
    for (const std::string& filter : options_.filters) {
      mqtt::SubscribeEntry& entry = entries.emplace_back();
      entry.filter = filter;
      entry.qos = static_cast<mqtt::Qos>(options_.qos);
    }
    connection_.core().subscribe(entries);
  }

  void on_subscribed(const ClientEvent& event) {
    std::size_t index = 0;
    for (const mqtt::ReasonCode code : event.codes) {
      const std::string& filter = options_.filters[index++];
      if (!mqtt::is_failure(code)) continue;
      end({Errc::refused, "the broker refused '" + filter + "': " + in_words(code)});
      return;
    }
  }

  // Written out before the acknowledgement is: it goes at the end of the loop's turn, or, where
  // that failed, never.
  void on_message(const mqtt::Publish& message) {
    if (finishing_ || (message.retain && options_.no_retained)) return;
    if (!print(message_text(message, form_, SystemClock{}.wall()))) return give_up();
    if (++received_ == options_.count) finish();
  }

  void on_down(const std::string& reason) override {
    if (!finishing_) failure_ = {was_online_ ? Errc::refused : Errc::unavailable, reason};
    loop_.stop();
  }

  void on_timer(Instant /*now*/) override { finish(); }

  // Without DISCONNECT: acknowledgements that wait would go out with it.
  void give_up() {
    finishing_ = true;
    connection_.close();
    loop_.stop();
  }

  // What comes behind the last message in the same read is not acknowledged.
  void finish() {
    if (finishing_) return;
    finishing_ = true;
    if (connection_.core().online()) {
      connection_.finish();
    } else {
      loop_.stop();
    }
  }

  void end(Error failure) {
    failure_ = std::move(failure);
    connection_.close();
    loop_.stop();
  }

  ClientLoop& loop_;
  const SubOptions& options_;
  const MessageForm form_;
  Connection connection_;
  Error failure_;
  std::uint64_t received_ = 0;
  bool was_online_ = false;
  bool finishing_ = false;
};

Result<ClientSettings> subscriber_settings(const SubOptions& options) {
  if (options.connection.is_before_v5() && options.has_session_expiry) {
    return Error{Errc::invalid, "--session-expiry needs MQTT 5, and -V asks for an older one"};
  }
  auto settings = client_settings(options.connection);
  if (!settings) return settings;
  if (!options.persistent) return settings;
  if (settings->client_id.empty()) {
    return Error{Errc::invalid, "a persistent session (-c) needs a client id (-i)"};
  }
  settings->clean_start = false;
  settings->session_expiry_s = options.session_expiry_s;
  return settings;
}

Outcome run_sub(const Invocation& invocation, const SubOptions& options) {
  const auto settings = subscriber_settings(options);
  if (!settings) return settings.error();
  const auto server = server_of(options.connection);
  if (!server) return server.error();
  ClientLoop loop{*server};
  return Subscriber{loop, options, *settings, invocation.json}.run();
}

}  // namespace

void add_sub_command(CLI::App& app, Invocation& invocation) {
  CLI::App* sub = app.add_subcommand("sub", "Subscribe, and print what is published");
  leave_h_to_host(*sub);
  const auto options = std::make_shared<SubOptions>();
  sub->footer("Example: naru sub -t 'vehicles/+/telemetry' -v");
  sub->add_option("-t,--topic", options->filters, "A filter; may be repeated")
      ->required()
      ->allow_extra_args(false)
      ->check(fault_of_filter)
      ->type_name("FILTER");
  sub->add_option("-q,--qos", options->qos, "Quality of service at most: 0, 1 or 2")
      ->check(CLI::Range(0, 2))
      ->capture_default_str();
  sub->add_flag("-c,--persistent", options->persistent,
                "Keep the session: messages wait while we are away (needs -i)");
  CLI::Option* expiry = sub->add_option(
      "--session-expiry", options->session_expiry_s,
      "The broker forgets a persistent session after so long (MQTT 5; default: never)");
  expiry->type_name("SECONDS")->transform(seconds_between(0, most_seconds));
  sub->add_option("-C,--count", options->count, "End after so many messages");
  sub->add_option("-W,--wait", options->wait_s, "End after so long; with 1 when fewer than -C came")
      ->type_name("SECONDS")
      ->transform(seconds_between(1, most_seconds));
  sub->add_flag("-R,--no-retained", options->no_retained, "Do not print retained messages");
  sub->add_flag("-v,--verbose", options->verbose, "Print the topic before the payload");
  add_connection_options(*sub, options->connection);
  sub->callback([&invocation, options, expiry] {
    options->has_session_expiry = expiry->count() > 0;
    invocation.run = [&invocation, options] { return run_sub(invocation, *options); };
  });
}

}  // namespace naru::tools
