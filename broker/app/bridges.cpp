#include "broker/app/bridges.hpp"

#include <unistd.h>

#include <algorithm>
#include <future>
#include <random>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "broker/mqtt/bridge_path.hpp"
#include "storage/base/log.hpp"

namespace naru::broker {

namespace asio = boost::asio;

namespace {

constexpr Seconds prepare_limit{10};
constexpr Seconds goodbye_limit{2};
constexpr Millis look_every{2};

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "naru";
  return name;
}

Bytes remote_id(const BridgeConfig& one) {
  return one.remote_clientid.empty() ? host_name() + "." + one.name : one.remote_clientid;
}

Bytes local_id(const BridgeConfig& one) {
  return one.local_clientid.empty() ? "local." + remote_id(one) : one.local_clientid;
}

std::vector<Greeting> greetings_of(const BridgeConfig& one) {
  using mqtt::Version;
  std::vector<Greeting> greetings;
  const auto add_3 = [&](Version version) {
    if (one.try_private) greetings.push_back({version, true});
    greetings.push_back({version, false});
  };
  switch (one.protocol) {
    case BridgeProtocol::any:
      greetings.push_back({Version::v5, false});
      add_3(Version::v3_1_1);
      break;
    case BridgeProtocol::v5: greetings.push_back({Version::v5, false}); break;
    case BridgeProtocol::v3_1_1: add_3(Version::v3_1_1); break;
    case BridgeProtocol::v3_1: add_3(Version::v3_1); break;
  }
  return greetings;
}

std::vector<BridgeAddress> addresses_of(const BridgeConfig& one) {
  std::vector<BridgeAddress> addresses;
  for (const std::string& line : one.addresses) {
    for (HostPort& each : parse_hosts(line).value_or(std::vector<HostPort>{})) {
      addresses.push_back({std::move(each.host), each.port});
    }
  }
  return addresses;
}

BridgeSettings settings_of(const Config& config, const BridgeConfig& one, std::uint64_t node) {
  BridgeSettings settings;
  settings.name = one.name;
  for (const std::string& text : one.topics) settings.topics.push_back(*TopicRule::parse(text));
  settings.addresses = addresses_of(one).size();
  settings.round_robin = one.round_robin;
  settings.greetings = greetings_of(one);
  settings.local_client_id = local_id(one);
  settings.remote_client_id = remote_id(one);
  if (!one.remote_username.empty()) settings.remote_user = one.remote_username;
  if (!one.remote_password.empty()) settings.remote_password = one.remote_password;
  settings.clean_session = one.cleansession;
  settings.local_clean_session = one.local_cleansession.value_or(one.cleansession);
  settings.keep_alive_s = one.keepalive_interval;
  const RestartTimes times = parse_restart(one.restart_timeout).value_or(RestartTimes{});
  settings.restart_base = times.base;
  settings.restart_most = times.most;
  settings.once = one.start_type == BridgeStart::once;
  settings.notifications = one.notifications;
  settings.notifications_local = one.notifications_local_only;
  settings.notification_topic =
      one.notification_topic.empty()
          ? "$SYS/broker/connection/" + settings.remote_client_id + "/state"
          : one.notification_topic;
  settings.outgoing_retain = one.outgoing_retain;
  settings.attempt_unsubscribe = one.attempt_unsubscribe;
  settings.packet_size_max = one.max_packet_size;
  settings.local_packet_size_max = config.max_packet_size;
  settings.node = mqtt::node_text(node);
  return settings;
}

std::string place_text(const BridgeConfig& one, const std::string& key) {
  const auto& places = one.places.by_key;
  auto found = places.find(key);
  if (found == places.end()) found = places.find("connection");
  if (found == places.end()) return {};
  return found->second.file + ":" + std::to_string(found->second.line) + ": error: ";
}

// Stays null where the bridge has no TLS.
Result<void> make_tls(const BridgeConfig& one, std::shared_ptr<const TlsContext>& made) {
  if (one.cafile.empty() && one.capath.empty() && !one.use_os_certs) return {};
  TlsClientSettings settings;
  settings.cafile = one.cafile;
  settings.capath = one.capath;
  settings.system_trust = one.use_os_certs;
  settings.certfile = one.certfile;
  settings.keyfile = one.keyfile;
  settings.ciphers = one.ciphers;
  settings.ciphersuites = one.ciphersuites;
  settings.alpn = one.alpn;
  settings.only_version_1_3 = one.tls_version == TlsVersion::v1_3;
  TlsFault fault;
  made = TlsContext::make_client(settings, fault);
  if (made) return {};
  return Error{Errc::invalid, place_text(one, fault.key) + fault.text};
}

}  // namespace

std::vector<std::string> faults_of_bridge_files(const Config& config) {
  std::vector<std::string> faults;
  for (const BridgeConfig& one : config.bridges) {
    std::shared_ptr<const TlsContext> ignored;
    const auto made = make_tls(one, ignored);
    if (!made) faults.push_back(made.error().text);
  }
  return faults;
}

std::vector<Bytes> bridge_clients(const Config& config) {
  std::vector<Bytes> clients;
  for (const BridgeConfig& one : config.bridges) clients.push_back(local_id(one));
  return clients;
}

Result<void> Bridges::start(const Config& config, std::uint64_t node) {
  if (config.bridges.empty()) return {};
  std::random_device device;
  for (const BridgeConfig& one : config.bridges) {
    BridgeRoute route{addresses_of(one), one.bind_address, nullptr, !one.insecure};
    const auto made = make_tls(one, route.tls);
    if (!made) return made;
    const Rng rng{std::uint64_t{device()} << 32 | device()};
    links_.push_back(std::make_unique<BridgeLink>(context_, host_, settings_of(config, one, node),
                                                  std::move(route), one.local_username, rng));
  }
  thread_ = std::thread([this] {
    const auto work = asio::make_work_guard(context_);
    for (const auto& link : links_) link->start();
    context_.run();
  });
  wait_until(&BridgeLink::is_prepared, prepare_limit);
  return {};
}

// Asks on the bridges' own thread until it holds for all of them, or for so long.
void Bridges::wait_until(bool (BridgeLink::*condition)() const, Duration limit) {
  struct Waiting {
    explicit Waiting(asio::io_context& context) : timer(context) {}
    asio::steady_timer timer;
    std::promise<void> done;
    std::function<void()> look;
  };
  const auto waiting = std::make_shared<Waiting>(context_);
  auto done = waiting->done.get_future();
  waiting->look = [this, condition, at = waiting.get()] {
    const bool all = std::all_of(links_.begin(), links_.end(),
                                 [&](const auto& link) { return (*link.*condition)(); });
    if (all) return at->done.set_value();
    at->timer.expires_after(look_every);
    at->timer.async_wait([at](const boost::system::error_code& error) {
      if (!error) at->look();
    });
  };
  asio::post(context_, [waiting] { waiting->look(); });
  if (done.wait_for(limit) != std::future_status::ready) {
    log(Severity::warning, "bridges_slow", {{"limit_s", limit.count() / 1'000'000}});
  }
  // What is still pending of it ends on its own thread, where it lives.
  std::promise<void> ended;
  asio::post(context_, [waiting, &ended] {
    waiting->timer.cancel();
    ended.set_value();
  });
  ended.get_future().wait();
}

void Bridges::stop() {
  if (!thread_.joinable()) return;
  asio::post(context_, [this] {
    for (const auto& link : links_) link->stop();
  });
  wait_until(&BridgeLink::is_quiet, goodbye_limit);
  context_.stop();
  thread_.join();
}

std::vector<BridgeFacts> Bridges::facts() const {
  std::vector<BridgeFacts> facts;
  for (const auto& link : links_) facts.push_back(link->facts());
  return facts;
}

}  // namespace naru::broker
