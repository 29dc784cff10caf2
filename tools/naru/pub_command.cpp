// tools/naru/pub_command.cpp: `naru pub`, publishing until the broker has taken it.
#include <cerrno>
#include <memory>

#include <unistd.h>
#include <CLI/CLI.hpp>

#include "broker/mqtt/properties.hpp"
#include "storage/base/byte_writer.hpp"
#include "tools/naru/argument_checks.hpp"
#include "tools/naru/client_loop.hpp"
#include "tools/naru/commands.hpp"
#include "tools/naru/connection_options.hpp"
#include "tools/naru/file_argument.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/time_argument.hpp"

namespace naru::tools {
namespace {

constexpr std::size_t backlog_max = 1000;  // Lines read ahead of the broker's acknowledgements.
constexpr std::size_t read_size = 64 * 1024;

struct PubOptions {
  ConnectionOptions connection;
  std::string topic;
  std::string text;
  std::string file;
  bool has_text = false;
  bool lines = false;
  int qos = 1;
  bool retain = false;
  std::uint32_t expiry_s = 0;
  bool has_expiry = false;
  std::vector<std::string> properties;
  std::string timeout = "30s";
};

// Publishes one payload, or each line of standard input, and ends when all is acknowledged.
class Publisher final : public ClientOwner {
 public:
  Publisher(ClientLoop& loop, const PubOptions& options, ClientSettings settings,
            OutgoingPublish message, Millis timeout)
      : loop_(loop),
        options_(options),
        message_(message),
        timeout_(timeout),
        connection_(loop, *this, std::move(settings)) {}

  Outcome run() {
    progress_at_ = loop_.now();
    loop_.call_at(progress_at_ + timeout_, *this);
    connection_.open();
    if (!ended_) loop_.run();
    if (loop_.interrupted()) {
      return Error{Errc::refused, "interrupted; " + std::to_string(connection_.core().backlog()) +
                                      " messages are not acknowledged"};
    }
    if (!failure_.text.empty()) return failure_;
    return refused_ == 0 ? ExitCode::done : ExitCode::not_done;
  }

  std::uint64_t published() const { return published_; }
  std::uint64_t refused() const { return refused_; }

 private:
  void on_event(const ClientEvent& event) override {
    progress_at_ = loop_.now();
    switch (event.kind) {
      case ClientEvent::Kind::online:
        was_online_ = true;
        if (options_.lines) {
          loop_.want_input(*this);
        } else {
          publish(message_.payload);
          finish_when_done();
        }
        break;
      case ClientEvent::Kind::acknowledged: on_acknowledged(event); break;
      case ClientEvent::Kind::refused:
        end({Errc::refused, "the broker refused the connection: " + event.text});
        break;
      case ClientEvent::Kind::failed: end({Errc::refused, event.text}); break;
      case ClientEvent::Kind::message:
      case ClientEvent::Kind::subscribed:
      case ClientEvent::Kind::unsubscribed: break;
    }
  }

  void on_acknowledged(const ClientEvent& event) {
    if (mqtt::is_failure(event.reason)) {
      ++refused_;
      print_error("the broker refused the message: " + event.text);
    }
    if (paused_ && connection_.core().backlog() < backlog_max) {
      paused_ = false;
      loop_.want_input(*this);
    }
    finish_when_done();
  }

  void on_down(const std::string& reason) override {
    if (finishing_) {
      ended_ = true;
      loop_.stop();
    } else {
      end({was_online_ ? Errc::refused : Errc::unavailable, reason});
    }
  }

  void on_timer(Instant now) override {
    if (now - progress_at_ >= timeout_ && connection_.core().backlog() > 0) {
      end({Errc::refused, "no acknowledgement within " + options_.timeout});
    } else if (now - progress_at_ >= timeout_ && !was_online_) {
      end({Errc::unavailable, "no answer to CONNECT within " + options_.timeout});
    } else {
      loop_.call_at(now + timeout_, *this);
    }
  }

  void on_input() override {
    char buffer[read_size];
    const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) return loop_.want_input(*this);
    rest_.append(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
    std::size_t begin = 0;
    for (std::size_t end = rest_.find('\n'); end != std::string::npos;
         end = rest_.find('\n', begin)) {
      publish(BytesView{rest_}.substr(begin, end - begin));
      begin = end + 1;
    }
    rest_.erase(0, begin);
    connection_.flush_later();
    if (n <= 0) {
      if (!rest_.empty()) publish(rest_);
      input_ended_ = true;
      finish_when_done();
    } else if (connection_.core().backlog() < backlog_max) {
      loop_.want_input(*this);
    } else {
      paused_ = true;
    }
  }

  void publish(BytesView payload) {
    OutgoingPublish message = message_;
    message.payload = payload;
    connection_.core().publish(message);
    ++published_;
    progress_at_ = loop_.now();
  }

  void finish_when_done() {
    const bool all_given = !options_.lines || input_ended_;
    if (!all_given || connection_.core().backlog() > 0 || finishing_) return;
    finishing_ = true;
    connection_.finish();
  }

  void end(Error failure) {
    failure_ = std::move(failure);
    ended_ = true;
    connection_.close();
    loop_.stop();
  }

  ClientLoop& loop_;
  const PubOptions& options_;
  const OutgoingPublish message_;
  const Millis timeout_;
  Connection connection_;
  Error failure_;
  std::string rest_;  // Of the last line that was read.
  Instant progress_at_;
  std::uint64_t published_ = 0;
  std::uint64_t refused_ = 0;
  bool was_online_ = false;
  bool input_ended_ = false;
  bool paused_ = false;
  bool finishing_ = false;
  bool ended_ = false;
};

Result<Bytes> property_block(const PubOptions& options) {
  Bytes block;
  ByteWriter writer{block};
  for (const std::string& pair : options.properties) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{Errc::invalid, "'" + pair + "' is not a property: use NAME=VALUE"};
    }
    writer.u8(mqtt::property::user_property);
    writer.block16(BytesView{pair}.substr(0, equals));
    writer.block16(BytesView{pair}.substr(equals + 1));
  }
  return block;
}

Result<Bytes> read_payload(const PubOptions& options) {
  if (options.file.empty()) return options.text;
  return read_file(options.file);
}

Result<void> check_arguments(const PubOptions& options) {
  if (options.connection.is_before_v5() && (options.has_expiry || !options.properties.empty())) {
    return Error{Errc::invalid, std::string{options.has_expiry ? "--expiry" : "--property"} +
                                    " needs MQTT 5, and -V asks for an older one"};
  }
  if (int{options.has_text} + int{!options.file.empty()} + int{options.lines} != 1) {
    return Error{Errc::invalid, "say what to publish: one of -m TEXT, -f FILE, -l"};
  }
  return {};
}

Outcome run_pub(const Invocation& invocation, const PubOptions& options) {
  const auto checked = check_arguments(options);
  if (!checked) return checked.error();
  const auto timeout = parse_duration(options.timeout);
  if (!timeout) return timeout.error();
  if (timeout->count() == 0) {
    return Error{Errc::invalid, "--timeout 0 leaves no time for an answer; use 30s, for instance"};
  }
  const auto settings = client_settings(options.connection);
  if (!settings) return settings.error();
  const auto block = property_block(options);
  if (!block) return block.error();
  const auto payload = read_payload(options);
  if (!payload) return payload.error();
  const auto server = server_of(options.connection);
  if (!server) return server.error();
  OutgoingPublish message{.topic = options.topic,
                          .payload = *payload,
                          .qos = static_cast<mqtt::Qos>(options.qos),
                          .retain = options.retain,
                          .properties = *block};
  if (options.expiry_s > 0) message.expiry_s = options.expiry_s;
  ClientLoop loop{*server};
  Publisher publisher{loop, options, *settings, message, *timeout};
  const Outcome outcome = publisher.run();
  if (outcome && invocation.json) {
    print_json(Json{{"published", publisher.published()}, {"refused", publisher.refused()}});
  }
  return outcome;
}

}  // namespace

void add_pub_command(CLI::App& app, Invocation& invocation) {
  CLI::App* pub = app.add_subcommand("pub", "Publish, and end when the broker has taken it");
  leave_h_to_host(*pub);
  const auto options = std::make_shared<PubOptions>();
  pub->footer("Example: naru pub -t vehicles/car-0001/telemetry -m '{\"speed\":42}'");
  pub->add_option("-t,--topic", options->topic, "The topic")->required()->check(fault_of_topic);
  CLI::Option* text = pub->add_option("-m,--message", options->text, "The payload");
  pub->add_option("-f,--file", options->file, "The payload is this file")->type_name("FILE");
  pub->add_flag("-l,--lines", options->lines, "Each line of standard input is a payload");
  pub->add_option("-q,--qos", options->qos, "Quality of service: 0, 1 or 2")
      ->check(CLI::Range(0, 2))
      ->capture_default_str();
  pub->add_flag("-r,--retain", options->retain, "Keep the message for later subscribers");
  CLI::Option* expiry =
      pub->add_option("--expiry", options->expiry_s, "The message is of use for so long (MQTT 5)");
  expiry->type_name("SECONDS")->transform(seconds_between(1, most_seconds));
  pub->add_option("--property", options->properties, "A user property (MQTT 5); may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  pub->add_option("--timeout", options->timeout, "Give up when nothing is acknowledged for so long")
      ->capture_default_str();
  add_connection_options(*pub, options->connection);
  pub->callback([&invocation, options, text, expiry] {
    options->has_text = text->count() > 0;
    options->has_expiry = expiry->count() > 0;
    invocation.run = [&invocation, options] { return run_pub(invocation, *options); };
  });
}

}  // namespace naru::tools
