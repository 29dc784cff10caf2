#include "broker/net/bridge_stream.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <boost/asio/post.hpp>

namespace naru::broker {

using boost::system::error_code;

namespace {

constexpr std::size_t read_bytes = 64 * 1024;
constexpr Seconds last_words_limit{1};

bool is_passing(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

void BridgeStream::start(BridgeStreamOwner& owner, std::shared_ptr<const TlsContext> tls,
                         const TlsStream::Called& called) {
  owner_ = &owner;
  if (tls) {
    tls_.emplace(std::move(tls), called);
    tls_->receive({}, room_, unsent_);
    write();
    return wait_readable();
  }
  boost::asio::post(descriptor_.get_executor(), [self = shared_from_this()] {
    if (self->owner_ == nullptr) return;
    self->open_ = true;
    self->owner_->on_stream_open();
    self->wait_readable();
  });
}

void BridgeStream::want_input(bool wanted) {
  wants_input_ = wanted;
  if (open_ && wanted) wait_readable();
}

void BridgeStream::wait_readable() {
  if (reading_ || owner_ == nullptr || !descriptor_.is_open()) return;
  reading_ = true;
  descriptor_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const error_code& e) {
    self->reading_ = false;
    if (e || self->owner_ == nullptr) return;
    if (!self->open_ || self->wants_input_) self->read();
  });
}

void BridgeStream::read() {
  std::array<char, read_bytes> buffer;
  const ssize_t n = ::recv(descriptor_.native_handle(), buffer.data(), buffer.size(), 0);
  if (n == 0) return end("it closed the connection");
  if (n < 0 && !is_passing(errno)) return end(std::strerror(errno));
  if (n > 0) {
    const BytesView wire{buffer.data(), static_cast<std::size_t>(n)};
    received_.append(tls_ ? tls_->receive(wire, room_, unsent_) : wire);
    const auto self = shared_from_this();
    if (tls_) look_at_tls();
    if (owner_ != nullptr && !received_.empty()) owner_->on_stream_bytes();
    if (tls_ && owner_ != nullptr && tls_->state() != TlsStream::State::ready &&
        tls_->state() != TlsStream::State::handshake) {
      const std::string& why = tls_->failure();
      return end(why.empty() ? "it closed the connection" : "TLS: " + why);
    }
  }
  if (!open_ || wants_input_) wait_readable();
}

void BridgeStream::look_at_tls() {
  write();
  if (open_ || !tls_->is_established()) return;
  open_ = true;
  if (owner_ != nullptr) owner_->on_stream_open();
}

void BridgeStream::end(BytesView why) {
  BridgeStreamOwner* const owner = std::exchange(owner_, nullptr);
  error_code ignored;
  descriptor_.close(ignored);
  if (owner != nullptr) owner->on_stream_end(why);
}

void BridgeStream::send(Bytes& output) {
  if (!open_ || output.empty()) return;
  if (!tls_) {
    unsent_.append(output);
  } else if (tls_->state() == TlsStream::State::ready) {
    tls_->send(output, unsent_);
  }
  output.clear();
  write();
}

void BridgeStream::write() {
  if (writing_ || unsent_.empty() || !descriptor_.is_open()) return;
  const ssize_t n = ::send(descriptor_.native_handle(), unsent_.data(), unsent_.size(),
                           MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && !is_passing(errno)) return unsent_.clear();  // The reader hears of it.
  if (n > 0) unsent_.erase(0, static_cast<std::size_t>(n));
  if (!unsent_.empty()) wait_writable();
}

void BridgeStream::wait_writable() {
  writing_ = true;
  descriptor_.async_wait(Descriptor::wait_write, [self = shared_from_this()](const error_code& e) {
    self->writing_ = false;
    if (e) return;
    self->write();
    if (self->owner_ != nullptr) return self->owner_->on_stream_bytes();  // There is room again.
    if (self->unsent_.empty()) self->end({});
  });
}

void BridgeStream::finish(const Bytes& words) {
  owner_ = nullptr;
  if (!descriptor_.is_open()) return;
  if (open_) {
    Bytes last = words;
    send(last);
    if (tls_) tls_->say_goodbye(unsent_);
    write();
  }
  if (!open_ || unsent_.empty()) return end({});
  timer_.expires_after(last_words_limit);
  timer_.async_wait([self = shared_from_this()](const error_code& e) {
    if (!e) self->end({});
  });
}

}  // namespace naru::broker
