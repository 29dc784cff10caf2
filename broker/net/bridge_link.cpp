#include "broker/net/bridge_link.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <utility>

#include "storage/base/log.hpp"

namespace naru::broker {

using boost::system::error_code;

namespace {

// How deep the core may ask anew for connections within one turn.
constexpr int rounds_most = 64;

}  // namespace

BridgeLink::BridgeLink(boost::asio::io_context& context, BridgeHost& host, BridgeSettings settings,
                       BridgeRoute route, Bytes local_user, Rng rng)
    : context_(context),
      host_(host),
      route_(std::move(route)),
      local_user_(std::move(local_user)),
      core_(std::move(settings), rng),
      resolver_(context),
      socket_(context),
      probe_(context),
      timer_(context) {
  facts_.name = core_.settings().name;
  facts_.local_client_id = core_.settings().local_client_id;
  facts_.state = "starting";
}

void BridgeLink::start() {
  core_.start(host_.now());
  turn();
}

void BridgeLink::stop() {
  core_.stop();
  turn();
}

bool BridgeLink::is_quiet() const {
  return core_.state() == BridgeCore::State::over && leaving_[0].expired() && leaving_[1].expired();
}

BridgeFacts BridgeLink::facts() const {
  const std::lock_guard lock{facts_mutex_};
  return facts_;
}

// ---- streams -----------------------------------------------------------------------------------

void BridgeLink::Seat::on_stream_open() {
  link.core_.on_open(side, link.host_.now());
  link.turn();
}

void BridgeLink::Seat::on_stream_bytes() { link.turn(); }

void BridgeLink::Seat::on_stream_end(BytesView why) {
  const std::shared_ptr<BridgeStream> gone = std::exchange(stream, nullptr);
  link.core_.on_lost(side, why, link.host_.now());
  link.turn();
}

// Until the core has nothing new to ask for.
void BridgeLink::turn() {
  if (std::exchange(turning_, true)) return;
  bool more = true;
  for (int round = 0; more && round < rounds_most; ++round) {
    more = false;
    for (const Side side : {Side::local, Side::remote}) more |= follow(side);
    for (const Side side : {Side::local, Side::remote}) more |= feed(side);
    for (const Side side : {Side::local, Side::remote}) {
      const auto& stream = seat(side).stream;
      if (stream && stream->is_sent()) stream->send(core_.output(side));
    }
  }
  for (const Side side : {Side::local, Side::remote}) {
    const auto& stream = seat(side).stream;
    if (stream) stream->want_input(core_.wants_input(side));
  }
  if (core_.wants_probe() && !probing_) probe();
  tell_events();
  keep_facts();
  arm_timer();
  turning_ = false;
}

// Makes the connection of that side the one the core wishes for. True: something has changed.
bool BridgeLink::follow(Side side) {
  Seat& it = seat(side);
  const std::uint64_t wished = core_.wished(side);
  if (it.attempt == wished) return false;
  if (it.stream) {
    const std::shared_ptr<BridgeStream> old = std::exchange(it.stream, nullptr);
    leaving_[static_cast<std::size_t>(side)] = old;
    old->finish(wished == 0 ? core_.output(side) : Bytes{});
  }
  if (wished == 0) core_.output(side).clear();
  it.attempt = wished;
  if (side == Side::remote) {
    resolver_.cancel();
    error_code ignored;
    socket_.close(ignored);
  }
  if (wished != 0) side == Side::local ? connect_here() : dial();
  return true;
}

bool BridgeLink::feed(Side side) {
  const std::shared_ptr<BridgeStream> stream = seat(side).stream;
  if (!stream || stream->received().empty() || !core_.wants_input(side)) return false;
  Bytes& received = stream->received();
  const std::size_t taken = core_.receive(side, received, host_.now());
  received.erase(0, taken);
  return taken != 0;
}

void BridgeLink::connect_here() {
  const int fd = host_.connect_here(core_.settings().local_client_id, local_user_);
  if (fd < 0) return core_.on_lost(Side::local, "this broker takes no connection", host_.now());
  local_.stream = std::make_shared<BridgeStream>(context_, fd);
  local_.stream->start(local_, nullptr, {});
}

// ---- to the remote broker ----------------------------------------------------------------------

std::string BridgeLink::address_text() const {
  return address().host + ":" + std::to_string(address().port);
}

void BridgeLink::fail_dial(std::uint64_t attempt, std::string_view why) {
  if (attempt != core_.wished(Side::remote)) return;
  core_.on_lost(Side::remote, why, host_.now());
  turn();
}

void BridgeLink::dial() {
  resolver_.async_resolve(address().host, std::to_string(address().port),
                          [this, attempt = remote_.attempt](
                              const error_code& error, const Tcp::resolver::results_type& found) {
                            if (attempt != core_.wished(Side::remote)) return;
                            if (error)
                              return fail_dial(attempt,
                                               "its name is not known: " + error.message());
                            try_next(attempt, found, found.begin(), "it has no address");
                          });
}

void BridgeLink::try_next(std::uint64_t attempt, Tcp::resolver::results_type found,
                          Tcp::resolver::results_type::const_iterator next, std::string why) {
  if (next == found.end()) return fail_dial(attempt, why);
  const Tcp::endpoint to = next->endpoint();
  ++next;
  error_code error;
  socket_.close(error);
  socket_.open(to.protocol(), error);
  if (!error && !route_.bind_address.empty()) {
    const auto from = boost::asio::ip::make_address(route_.bind_address, error);
    if (!error) socket_.bind({from, 0}, error);
  }
  if (error) return try_next(attempt, found, next, error.message());
  socket_.async_connect(to, [this, attempt, found, next](const error_code& failure) {
    if (attempt != core_.wished(Side::remote)) return;
    if (failure) return try_next(attempt, found, next, failure.message());
    dialed(attempt);
  });
}

void BridgeLink::dialed(std::uint64_t attempt) {
  error_code error;
  socket_.set_option(Tcp::no_delay{true}, error);
  const int fd = socket_.release(error);
  if (error) return fail_dial(attempt, error.message());
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  remote_.stream = std::make_shared<BridgeStream>(context_, fd);
  remote_.stream->start(remote_, route_.tls, {address().host, route_.checks_name});
}

// Whether the first address can be reached again.
void BridgeLink::probe() {
  probing_ = true;
  const BridgeAddress& first = route_.addresses.front();
  resolver_.async_resolve(
      first.host, std::to_string(first.port),
      [this](const error_code& error, const Tcp::resolver::results_type& found) {
        if (error || found.empty()) return void(probing_ = false);
        error_code ignored;
        probe_.close(ignored);
        probe_.async_connect(found.begin()->endpoint(), [this](const error_code& failure) {
          probing_ = false;
          error_code closing;
          probe_.close(closing);
          if (failure) return;
          core_.on_preferred_back(host_.now());
          turn();
        });
      });
}

// ---- time and words ----------------------------------------------------------------------------

void BridgeLink::arm_timer() {
  const Instant at = core_.next_deadline();
  if (at == Instant::never()) return void(timer_.cancel());
  timer_.expires_after(std::max(Duration{0}, at - host_.now()));
  timer_.async_wait([this](const error_code& error) {
    if (error) return;
    core_.on_time(host_.now());
    turn();
  });
}

void BridgeLink::tell_events() {
  const std::string& name = core_.settings().name;
  BridgeEvent event;
  while (core_.next_event(event)) {
    switch (event.kind) {
      case BridgeEvent::Kind::up:
        log(Severity::notice, "bridge_up",
            {{"bridge", name}, {"address", address_text()}, {"as", event.text}});
        break;
      case BridgeEvent::Kind::down:
        log(Severity::warning, "bridge_down", {{"bridge", name}, {"reason", event.text}});
        break;
      case BridgeEvent::Kind::refused:
        log(Severity::warning, "bridge_subscription_refused",
            {{"bridge", name}, {"filter", event.text}});
        break;
      case BridgeEvent::Kind::dropped:
        log(Severity::warning, "bridge_dropped", {{"bridge", name}, {"example", event.text}});
        break;
    }
    const std::lock_guard lock{facts_mutex_};
    if (event.kind == BridgeEvent::Kind::up) facts_.state = "connected";
    if (event.kind == BridgeEvent::Kind::down) facts_.state = event.text;
  }
}

void BridgeLink::keep_facts() {
  const std::lock_guard lock{facts_mutex_};
  facts_.address = address_text();
  facts_.connected = core_.state() == BridgeCore::State::relaying;
  facts_.counters = core_.counters();
}

}  // namespace naru::broker
