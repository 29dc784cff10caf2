// tools/naru/stream_command.cpp: `naru stream`, reading what the broker keeps of telemetry.
#include <algorithm>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "storage/base/clock.hpp"
#include "tools/naru/absence.hpp"
#include "tools/naru/argument_checks.hpp"
#include "tools/naru/commands.hpp"
#include "tools/naru/control_client.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/time_argument.hpp"

namespace naru::tools {
namespace {

constexpr std::uint64_t page_records = 1000;
constexpr Seconds follow_wait{30};

constexpr const char* which_streams = "`naru stream list` lists them";

struct TailOptions {
  std::string name;
  std::string from;
  std::string consumer;
  bool follow = false, no_retry = false, show_cursor = false;
  std::uint64_t limit = 0;
};

std::string retention_cell(const Json& seconds) {
  if (!seconds.is_number()) return "-";
  const auto count = seconds.get<std::int64_t>();
  return count == 0 ? "unlimited" : format_duration(Seconds{count});
}

Outcome run_list(const Invocation& invocation) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto answer = broker->get("/v1/streams");
  if (!answer) return answer.error();
  const Json streams = find_member(*answer, "streams");
  const Shape shape = output_shape(invocation.json);
  if (shape == Shape::json) {
    print_json(streams);
    return ExitCode::done;
  }
  Table table{{"STREAM", "RECORDS", "BYTES", "KEYS", "RETENTION"}};
  for (const Json& stream : streams) {
    table.add({member_cell(stream, "name"), member_cell(stream, "records"),
               member_cell(stream, "bytes"), member_cell(stream, "keys"),
               retention_cell(find_member(stream, "retention_s"))});
  }
  print(table.text(shape));
  return ExitCode::done;
}

Outcome run_consumers(const Invocation& invocation, const std::string& name) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto answer = broker->get("/v1/streams/" + url_encode(name) + "/consumers");
  if (!answer) return with_remedy(answer.error(), which_streams);
  const Json consumers = find_member(*answer, "consumers");
  const Shape shape = output_shape(invocation.json);
  if (shape == Shape::json) {
    print_json(consumers);
    return ExitCode::done;
  }
  Table table{{"CONSUMER", "LAG", "CURSOR"}};
  for (const Json& consumer : consumers) {
    table.add({member_cell(consumer, "name"), member_cell(consumer, "lag"),
               member_cell(consumer, "cursor")});
  }
  print(table.text(shape));
  return ExitCode::done;
}

// Why a record is in dead-letter: the rule, the kind of reason, and what was missed.
std::string reason_cell(const Json& record, const char* gap) {
  const Json note = find_member(record, "note");
  if (note.is_null()) return {};
  const std::string kind = cell(note), text = member_cell(record, "note_text");
  const std::size_t colon = text.find(": ");
  if (colon == std::string::npos) return gap + text + ": " + kind;
  return gap + text.substr(0, colon) + ": " + kind + text.substr(colon);
}

std::string record_line(const Json& record, Shape shape) {
  if (shape == Shape::json) {
    return record.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  const Json received = find_member(record, "received_at");
  const Json text = find_member(record, "payload");
  const char* gap = shape == Shape::aligned ? "  " : "\t";
  return (received.is_number() ? format_time(received.get<WallMillis>()) : "-") + gap +
         member_cell(record, "key") + gap + member_cell(record, "sequence") + gap +
         member_cell(record, "topic") + gap +
         (text.is_null() ? "base64:" + member_cell(record, "payload_base64") : cell(text)) +
         reason_cell(record, gap) + "\n";
}

// Follows one stream page by page. A consumer's position is committed only after its records were
// written and flushed: what was not seen comes again, nothing is skipped. A follower outlasts a
// broker that goes away: it asks again from where it is.
class Tail {
 public:
  Tail(ControlClient& broker, const TailOptions& options, std::string from, Shape shape)
      : broker_(broker), options_(options), from_(std::move(from)), shape_(shape) {}

  Outcome run() {
    while (true) {
      const auto page = next_page();
      if (!page) return with_remedy(page.error(), which_streams);
      const Json records = find_member(*page, "records");
      std::string lines;
      for (const Json& record : records) lines += record_line(record, shape_);
      if (!print(lines)) return ExitCode::done;  // The reader went away: it has seen enough.
      printed_ += records.size();
      from_ = find_member(*page, "cursor").get<std::string>();
      if (!records.empty()) {
        const auto committed = commit();
        if (!committed) return committed.error();
      }
      const bool more = find_member(*page, "more") == Json(true);
      const bool enough = options_.limit > 0 && printed_ >= options_.limit;
      if (options_.show_cursor && (enough || !more)) show_cursor();
      if (enough || (!more && !options_.follow)) return ExitCode::done;
      caught_up_ = !more;
    }
  }

 private:
  Result<Json> next_page() {
    std::uint64_t limit = page_records;
    if (options_.limit > 0) limit = std::min(limit, options_.limit - printed_);
    std::string path =
        "/v1/streams/" + url_encode(options_.name) + "/records?limit=" + std::to_string(limit);
    if (!from_.empty()) path += "&from=" + url_encode(from_);
    if (!options_.consumer.empty()) path += "&consumer=" + url_encode(options_.consumer);
    const Seconds wait = options_.follow && caught_up_ ? follow_wait : Seconds{0};
    if (wait.count() > 0) path += "&wait=" + std::to_string(wait.count());
    auto page = ask({.path = std::move(path), .wait = wait});
    // Whatever is no other form went out as a cursor.
    if (!page && page.error().code == Errc::invalid && options_.consumer.empty()) {
      return Error{Errc::invalid, in_quotes(options_.from) + " is no position in stream " +
                                      in_quotes(options_.name) +
                                      ": use earliest, latest, a time (2026-08-01T12:00:00Z, or "
                                      "-15m), or a cursor that --show-cursor told"};
    }
    if (page && !find_member(*page, "cursor").is_string()) {
      return Error{Errc::io, "the broker's answer has no cursor"};
    }
    return page;
  }

  // On standard error, once for each place reading has come to, so that what is piped on is
  // records.
  void show_cursor() {
    if (from_ != shown_) std::fprintf(stderr, "cursor %s\n", from_.c_str());
    shown_ = from_;
  }

  Outcome commit() {
    if (options_.consumer.empty()) return ExitCode::done;
    const auto answer = ask({.method = "PUT",
                             .path = "/v1/streams/" + url_encode(options_.name) + "/consumers/" +
                                     url_encode(options_.consumer),
                             .body = Json{{"cursor", from_}}.dump()});
    if (!answer) return answer.error();
    return ExitCode::done;
  }

  Result<Json> ask(const ControlClient::Request& request) {
    while (true) {
      auto answer = broker_.call(request);
      if (answer) {
        absence_.over();
        was_there_ = true;
        return answer;
      }
      const bool outlasts = was_there_ && options_.follow && !options_.no_retry;
      if (!outlasts || !absence_.outlast(answer.error())) return answer;
    }
  }

  ControlClient& broker_;
  const TailOptions& options_;
  std::string from_;  // Empty: where the consumer stands.
  std::string shown_;
  const Shape shape_;
  std::uint64_t printed_ = 0;
  bool caught_up_ = false;
  bool was_there_ = false;
  Absence absence_;
};

Outcome run_tail(const Invocation& invocation, const TailOptions& options) {
  std::string from = options.from;
  if (from.empty() && options.consumer.empty()) from = options.follow ? "latest" : "earliest";
  const auto position = stream_position(from, SystemClock{}.wall());
  if (!position) return position.error();
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  return Tail{*broker, options, *position, output_shape(invocation.json)}.run();
}

}  // namespace

void add_stream_command(CLI::App& app, Invocation& invocation) {
  CLI::App* stream = app.add_subcommand("stream", "Read streams of telemetry");
  stream->require_subcommand(1);
  stream->fallthrough();
  stream->footer("Example: naru stream tail telemetry --from -15m --follow");
  CLI::App* list = stream->add_subcommand("list", "List the streams");
  list->footer("Example: naru stream list");
  list->callback([&invocation] { invocation.run = [&] { return run_list(invocation); }; });

  CLI::App* consumers =
      stream->add_subcommand("consumers", "List who reads a stream, and how many records behind");
  const auto name = std::make_shared<std::string>();
  consumers->footer("Example: naru stream consumers telemetry");
  consumers->add_option("name", *name, "The stream")->required()->check(refuse_empty);
  consumers->callback([&invocation, name] {
    invocation.run = [&invocation, name] { return run_consumers(invocation, *name); };
  });

  CLI::App* tail = stream->add_subcommand("tail", "Print a stream's records");
  const auto options = std::make_shared<TailOptions>();
  tail->footer("Example: naru stream tail telemetry --from 2026-08-01T12:00:00Z --limit 10");
  tail->add_option("name", options->name, "The stream")->required()->check(refuse_empty);
  tail->add_option("--from", options->from,
                   "earliest, latest, a time (2026-08-01T12:00:00Z, or -15m), or a cursor. By "
                   "default: where the consumer is, else latest with --follow, else earliest")
      ->type_name("POSITION");
  tail->add_flag("--follow,-f", options->follow, "Go on when the end is reached");
  tail->add_flag("--no-retry", options->no_retry,
                 "End with 3 when the broker goes away, in place of waiting for it");
  tail->add_option("--consumer", options->consumer,
                   "Remember the position under this name, once records are written out")
      ->check(refuse_empty)
      ->type_name("NAME");
  tail->add_flag("--show-cursor", options->show_cursor,
                 "Say on standard error where reading has come to, for another --from");
  tail->add_option("--limit", options->limit, "End after so many records (0: no limit)");
  tail->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_tail(invocation, *options); };
  });
}

}  // namespace naru::tools
