// tools/naru/delivery_checker.cpp
#include "tools/naru/delivery_checker.hpp"

#include <cstring>

#include "storage/base/byte_reader.hpp"
#include "storage/base/byte_writer.hpp"
#include "storage/base/check.hpp"

namespace naru::tools {

void write_mark(Bytes& payload, const Mark& mark) {
  NARU_CHECK(payload.size() >= Mark::size);
  Bytes raw;
  ByteWriter writer{raw};
  writer.u32(mark.publisher);
  writer.u64(mark.number);
  writer.u64(static_cast<std::uint64_t>(mark.at.since_start.count()));
  std::memcpy(payload.data(), raw.data(), Mark::size);
}

std::optional<Mark> read_mark(BytesView payload) {
  ByteReader reader{payload};
  Mark mark;
  mark.publisher = reader.u32();
  mark.number = reader.u64();
  mark.at = Instant{Duration{static_cast<std::int64_t>(reader.u64())}};
  if (!reader.ok()) return std::nullopt;
  return mark;
}

void DeliveryChecker::on_message(const std::optional<Mark>& mark) {
  ++counts_.received;
  if (!mark || mark->publisher >= publishers_.size() || mark->number == 0) {
    ++counts_.foreign;
    return;
  }
  From& from = publishers_[mark->publisher];
  if (mark->number == from.last + 1) {
    from.last = mark->number;
  } else if (mark->number > from.last) {
    for (std::uint64_t n = from.last + 1; n < mark->number; ++n) from.missing.insert(n);
    from.last = mark->number;
  } else if (from.missing.erase(mark->number) > 0) {
    ++counts_.out_of_order;
  } else {
    ++counts_.duplicates;
  }
}

std::uint64_t DeliveryChecker::lost_of(std::span<const std::uint64_t> published) const {
  std::uint64_t lost = 0;
  for (std::size_t i = 0; i < publishers_.size() && i < published.size(); ++i) {
    const std::uint64_t last = publishers_[i].last;
    lost += publishers_[i].missing.size() + (published[i] > last ? published[i] - last : 0);
  }
  return lost;
}

}  // namespace naru::tools
