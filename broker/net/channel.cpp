#include "broker/net/channel.hpp"

#include <utility>

#include <openssl/evp.h>

#include "broker/transport/proxy_header.hpp"

namespace naru::broker {

using transport::UpgradeVerdict;

namespace {

// RFC 6455 section 1.3: proves that the request was read by somebody who knows WebSocket.
Bytes accept_of(BytesView key) {
  const Bytes text = Bytes{key} + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr);
  unsigned char encoded[2 * EVP_MAX_MD_SIZE];
  const int length = EVP_EncodeBlock(encoded, digest, static_cast<int>(size));
  return {reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(length)};
}

}  // namespace

std::unique_ptr<Channel> Channel::of(const Listener& listener) {
  return listener.has_layers() ? std::make_unique<Channel>(listener) : nullptr;
}

Channel::Channel(const Listener& listener) : proxy_version_(listener.proxy_version) {
  if (auto tls = listener.tls()) tls_.emplace(std::move(tls));
  if (listener.websockets)
    websocket_.emplace(Websocket{listener.websocket_origins, {}, false, {}, {}});
}

BytesView Channel::receive(BytesView wire, ChannelBuffers& buffers) {
  if (over_) return {};
  if (proxy_version_ != 0) wire = skip_header(wire, buffers);
  if (proxy_version_ != 0 || over_) return {};
  BytesView plain = wire;
  if (tls_) {
    plain = tls_->receive(wire, buffers.decrypted, unsent);
    look_at_tls();
  }
  return websocket_ && !plain.empty() ? unframe(plain, buffers) : plain;
}

// Returns what stands behind the header, once that is whole.
BytesView Channel::skip_header(BytesView wire, ChannelBuffers& buffers) {
  buffers.header = std::move(header_);
  buffers.header.append(wire);
  transport::ProxyHeader header;
  switch (transport::decode_proxy_header(buffers.header, proxy_version_, header)) {
    case transport::ProxyVerdict::incomplete: header_ = std::move(buffers.header); return {};
    case transport::ProxyVerdict::malformed: end("it begins with no right PROXY header"); return {};
    case transport::ProxyVerdict::complete: break;
  }
  proxy_version_ = 0;
  address_ = std::move(header.address);
  opened_ = !tls_ && !websocket_;
  return BytesView{buffers.header}.substr(header.size);
}

void Channel::look_at_tls() {
  if (tls_->is_established() && !websocket_) opened_ = true;
  if (tls_->state() == TlsStream::State::ended) end({});
  if (tls_->state() == TlsStream::State::failed) end(tls_->failure());
}

BytesView Channel::unframe(BytesView plain, ChannelBuffers& buffers) {
  buffers.data.clear();
  buffers.frames.clear();
  const BytesView frames = websocket_->upgraded ? plain : upgrade(plain, buffers);
  if (!frames.empty() && !websocket_->decoder.receive(frames, buffers.data, buffers.frames)) {
    end(websocket_->decoder.failure());
  }
  seal(buffers.frames);
  return buffers.data;
}

// Returns the frames behind the request, once that is whole.
BytesView Channel::upgrade(BytesView plain, ChannelBuffers& buffers) {
  buffers.request = std::move(websocket_->request);
  buffers.request.append(plain);
  transport::UpgradeRequest request;
  const UpgradeVerdict verdict =
      transport::decode_upgrade(buffers.request, websocket_->origins, request);
  if (verdict == UpgradeVerdict::incomplete) {
    websocket_->request = std::move(buffers.request);
    return {};
  }
  if (verdict != UpgradeVerdict::accepted) {
    buffers.frames = transport::upgrade_refusal(verdict);
    end(transport::text_of(verdict));
    return {};
  }
  buffers.frames = transport::upgrade_reply(accept_of(request.key), request.subprotocol);
  websocket_->upgraded = true;
  opened_ = true;
  return BytesView{buffers.request}.substr(request.size);
}

void Channel::seal(BytesView plain) {
  if (plain.empty()) return;
  if (!tls_) {
    unsent.append(plain);
  } else if (tls_->state() == TlsStream::State::ready) {
    tls_->send(plain, unsent);
    look_at_tls();
  }
}

void Channel::end(BytesView why) {
  if (!std::exchange(over_, true)) failure_ = why;
}

std::size_t Channel::send(BytesView output, ChannelBuffers& buffers) {
  if (!websocket_) {
    seal(output);
    return output.size();
  }
  buffers.frames.clear();
  const std::size_t taken = websocket_->frames.append(output, buffers.frames);
  seal(buffers.frames);
  return taken;
}

void Channel::say_goodbye() {
  if (websocket_ && is_open()) {
    Bytes close;
    transport::append_close_frame(transport::CloseCode::normal, close);
    seal(close);
  }
  if (tls_) tls_->say_goodbye(unsent);
}

PeerNames Channel::names(IdentityFrom from) const {
  PeerNames names;
  if (!tls_) return names;
  names.certificate = tls_->certificate();
  names.common_name = names.certificate.value(CertificateField::common_name);
  if (from == IdentityFrom::common_name) names.user = names.common_name;
  if (from == IdentityFrom::subject) names.user = names.certificate.subject();
  return names;
}

}  // namespace naru::broker
