// storage/tables/stream_records.hpp
//
// Rows and records of streams: what was appended and trimmed, how far sequences and consumers
// are.
//
// Sans-IO values, each with one description of its fields for encoding and decoding. Frozen: a
// released body never changes (storage/tables/records.hpp).
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/archive.hpp"
#include "storage/base/bytes.hpp"

namespace naru::storage {

struct StreamRow {
  Bytes key;
  std::uint64_t sequence = 0;  // Per (stream, key), from 1, without gaps.
  std::uint8_t note = 0;       // StreamNote of broker/stream/rule.hpp; 0 = none.
  Bytes note_text;
  SharedBytes message;
  template <class Archive>
  void fields(Archive& a) {
    a(key, sequence, note, note_text, message);
  }
};
struct StreamAppended {
  Bytes stream;
  std::uint64_t offset = 0;  // Per (stream, lane), from 1, without gaps.
  StreamRow row;
  bool once = false;  // As in Enqueued.
  template <class Archive>
  void fields(Archive& a) {
    a(stream, offset, row, once);
  }
};
// Everything before first_offset is gone.
struct StreamTrimmed {
  Bytes stream;
  std::uint64_t first_offset = 1;
  template <class Archive>
  void fields(Archive& a) {
    a(stream, first_offset);
  }
};
// How far the sequences of keys had come at an offset, so that a start reads only what follows.
struct KeySequence {
  Bytes key;
  std::uint64_t sequence = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(key, sequence);
  }
};
struct StreamMarked {
  Bytes stream;
  std::uint64_t offset = 0;
  std::uint64_t first_offset = 1;
  std::vector<KeySequence> keys;
  template <class Archive>
  void fields(Archive& a) {
    a(stream, offset, first_offset, keys);
  }
};
struct ConsumerPut {
  Bytes stream;
  Bytes consumer;
  Bytes cursor;
  template <class Archive>
  void fields(Archive& a) {
    a(stream, consumer, cursor);
  }
};

}  // namespace naru::storage
