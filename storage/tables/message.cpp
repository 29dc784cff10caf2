#include "storage/tables/message.hpp"

#include "storage/base/byte_reader.hpp"
#include "storage/base/byte_writer.hpp"

namespace naru::storage {

namespace {
constexpr std::uint8_t message_version = 1;
constexpr std::uint8_t retain_flag = 4;
constexpr std::size_t fixed_part_max = 96;  // Everything but the four runs of bytes.
}  // namespace

void encode_message(const MessageView& view, Bytes& out) {
  out.reserve(out.size() + fixed_part_max + view.sender.size() + view.topic.size() +
              view.properties.size() + view.payload.size());
  ByteWriter writer{out};
  writer.u8(message_version);
  writer.u8(static_cast<std::uint8_t>(view.qos | (view.retain ? retain_flag : 0)));
  writer.leb(view.expires_at);
  writer.u64(view.origin.node);
  writer.leb(view.origin.incarnation);
  writer.leb(view.origin.shard);
  writer.leb(view.origin.number);
  writer.leb(view.stamp.epoch);
  writer.leb(view.stamp.publish);
  writer.leb(view.stamp.received_at);
  writer.block(view.sender);
  writer.block(view.topic);
  writer.block(view.properties);
  writer.bytes(view.payload);
}

MessageRef Message::make(const MessageView& view) {
  Bytes encoded;
  encode_message(view, encoded);
  auto message = std::make_shared<Message>(Private{}, std::move(encoded));
  message->view_ = view;
  message->point_into_encoded();
  return message;
}

// The four runs of bytes are found from the end, by the sizes that the view still has.
void Message::point_into_encoded() {
  const BytesView all{encoded_};
  std::size_t at = all.size() - view_.payload.size();
  view_.payload = all.substr(at);
  for (BytesView* const run : {&view_.properties, &view_.topic, &view_.sender}) {
    const std::size_t size = run->size();
    at -= size;
    *run = all.substr(at, size);
    at -= ByteWriter::leb_size(size);
  }
}

MessageRef Message::decode(Bytes encoded) {
  auto message = std::make_shared<Message>(Private{}, std::move(encoded));
  return message->read() ? message : nullptr;
}

bool Message::read() {
  ByteReader in{encoded_};
  if (in.u8() != message_version) return false;
  const std::uint8_t flags = in.u8();
  view_.qos = flags & 3;
  view_.retain = (flags & retain_flag) != 0;
  view_.expires_at = in.leb();
  view_.origin.node = in.u64();
  view_.origin.incarnation = static_cast<std::uint32_t>(in.leb());
  view_.origin.shard = static_cast<std::uint16_t>(in.leb());
  view_.origin.number = in.leb();
  view_.stamp.epoch = in.leb();
  view_.stamp.publish = in.leb();
  view_.stamp.received_at = in.leb();
  view_.sender = in.block();
  view_.topic = in.block();
  view_.properties = in.block();
  view_.payload = in.rest();
  return in.ok() && flags <= (retain_flag | 2) && view_.qos <= 2;
}

}  // namespace naru::storage
