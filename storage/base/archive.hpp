// storage/base/archive.hpp
//
// One description of a structure's fields serves its encoding and its decoding: a structure has
// `template <class Archive> void fields(Archive& a) { a(first, second); }`, and what Encoder
// writes Decoder reads. Integers are LEB128, bytes carry their length, lists their count.
//
// Sans-IO. Any thread; borrows its bytes. Decoder fails sticky and reserves no more than is left.
#pragma once

#include <concepts>
#include <optional>
#include <type_traits>
#include <variant>
#include <vector>

#include "storage/base/byte_reader.hpp"
#include "storage/base/byte_writer.hpp"

namespace naru {

class Encoder {
 public:
  explicit Encoder(Bytes& out) : writer_(out) {}

  template <class... Fields>
  void operator()(const Fields&... each) {
    (write(each), ...);
  }

 private:
  template <class T>
  requires std::unsigned_integral<T>
  void write(const T& value) { writer_.leb(value); }
  template <class T>
  requires std::is_enum_v<T>
  void write(const T& value) {
    writer_.leb(static_cast<std::make_unsigned_t<std::underlying_type_t<T>>>(value));
  }
  void write(const Bytes& value) { writer_.block(value); }
  void write(const SharedBytes& value) { writer_.block(value ? BytesView{*value} : BytesView{}); }
  template <class T>
  void write(const std::vector<T>& list) {
    writer_.leb(list.size());
    for (const T& each : list) write(each);
  }
  template <class T>
  void write(const std::optional<T>& value) {
    writer_.u8(value ? 1 : 0);
    if (value) write(*value);
  }
  template <class T>
  requires std::is_class_v<T>
  void write(const T& structure) { const_cast<T&>(structure).fields(*this); }

  ByteWriter writer_;
};

class Decoder {
 public:
  explicit Decoder(BytesView bytes) : reader_(bytes) {}

  template <class... Fields>
  void operator()(Fields&... each) {
    (read(each), ...);
  }
  bool ok() const { return reader_.ok(); }
  bool done() const { return reader_.done(); }
  bool empty() const { return reader_.empty(); }

 private:
  void read(bool& value) { value = reader_.leb() != 0; }
  template <class T>
  requires std::unsigned_integral<T>
  void read(T& value) {
    const std::uint64_t wide = reader_.leb();
    value = static_cast<T>(wide);
    if (value != wide) reader_.fail();
  }
  template <class T>
  requires std::is_enum_v<T>
  void read(T& value) {
    std::make_unsigned_t<std::underlying_type_t<T>> number{};
    read(number);
    value = static_cast<T>(number);
  }
  void read(Bytes& value) { value = Bytes{reader_.block()}; }
  void read(SharedBytes& value) {
    const BytesView bytes = reader_.block();
    value = bytes.empty() ? nullptr : std::make_shared<const Bytes>(bytes);
  }
  template <class T>
  void read(std::vector<T>& list) {
    const std::uint64_t count = reader_.leb();
    if (count > reader_.left()) return reader_.fail();
    list.clear();
    list.reserve(static_cast<std::size_t>(count));
    for (std::uint64_t i = 0; i < count && reader_.ok(); ++i) read(list.emplace_back());
  }
  template <class T>
  void read(std::optional<T>& value) {
    value.reset();
    if (reader_.u8() == 1 && reader_.ok()) read(value.emplace());
  }
  template <class T>
  requires std::is_class_v<T>
  void read(T& structure) { structure.fields(*this); }

  ByteReader reader_;
};

template <class T>
void encode_fields(const T& structure, Bytes& out) {
  Encoder{out}(structure);
}

// False: the bytes are not exactly one.
template <class T>
bool decode_fields(BytesView bytes, T& structure) {
  Decoder decoder{bytes};
  decoder(structure);
  return decoder.done();
}

// A closed list of structures: one tag (the place in the list), then the structure.
template <class... Kinds>
void encode_variant(const std::variant<Kinds...>& value, Bytes& out) {
  out.push_back(static_cast<char>(value.index()));
  std::visit([&out](const auto& kind) { encode_fields(kind, out); }, value);
}

template <class Variant, std::size_t tag = 0>
bool decode_variant(BytesView bytes, Variant& value) {
  if constexpr (tag == std::variant_size_v<Variant>) {
    return false;
  } else {
    if (bytes.empty()) return false;
    if (static_cast<std::uint8_t>(bytes[0]) != tag) {
      return decode_variant<Variant, tag + 1>(bytes, value);
    }
    return decode_fields(bytes.substr(1), value.template emplace<tag>());
  }
}

}  // namespace naru
