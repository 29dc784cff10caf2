// tools/naru/readable_rows.cpp: where a walk goes on behind a damaged block.

#include "tools/naru/readable_rows.hpp"

#include <algorithm>

namespace naru::tools {
namespace {

using storage::Family;
using storage::KvIterator;
using storage::KvStore;

constexpr std::size_t window = 8;         // Bytes of a key in which a place is narrowed down.
constexpr std::size_t asked_bytes = 256;  // Of a key, from where on others are asked for.

unsigned byte_at(const Bytes& key, std::size_t at) {
  return at < key.size() ? static_cast<unsigned char>(key[at]) : 0;
}

std::uint64_t number_at(const Bytes& key, std::size_t at) {
  std::uint64_t number = 0;
  for (std::size_t n = 0; n < window; ++n) number = number << 8 | byte_at(key, at + n);
  return number;
}

Bytes with_number(BytesView prefix, std::uint64_t number) {
  Bytes key{prefix};
  for (std::size_t n = window; n-- > 0;) key += static_cast<char>(number >> 8 * n);
  return key;
}

}  // namespace

class ReadableRows::Walk final : public KvIterator {
 public:
  Walk(const ReadableRows& rows, Family family, BytesView from, BytesView to)
      : rows_(rows), family_(family), to_(to), last_(from) {
    at_ = rows_.store_.scan(family_, from, to_);
    pass_damage();
  }

  bool valid() const override { return at_->valid(); }
  BytesView key() const override { return at_->key(); }
  BytesView value() const override { return at_->value(); }
  void next() override {
    last_ = at_->key();
    at_->next();
    pass_damage();
  }
  Result<void> status() const override { return {}; }

 private:
  void pass_damage() {
    while (!at_->valid()) {
      const auto status = at_->status();
      if (status) return;
      rows_.add(family_, status.error().text);
      auto behind = find_behind();
      if (!behind) return;
      at_ = rows_.store_.scan(family_, *behind, to_);
      last_ = std::move(*behind);
    }
  }

  bool reads_from(const Bytes& key) const {
    if (key <= last_) return false;
    const auto rows = rows_.store_.scan(family_, key, to_);
    return rows->valid() || rows->status().has_value();
  }

  // The key from which on reading goes on, as near behind `last_` as can be told. Each key asked
  // is up to twice as far away as the one before.
  std::optional<Bytes> find_behind() const {
    Bytes bad = last_.substr(0, asked_bytes);
    bad.resize(std::max(bad.size(), window));
    const Bytes start = bad;
    for (std::size_t place = start.size(); place-- > 0;) {
      for (unsigned step = 1; byte_at(start, place) + step < 256; step *= 2) {
        Bytes key = start.substr(0, place);
        key += static_cast<char>(byte_at(start, place) + step);
        if (reads_from(key)) return narrow(bad, key);
        bad = std::move(key);
      }
    }
    return std::nullopt;
  }

  // Halves what lies between two keys, eight bytes of them at a time.
  Bytes narrow(const Bytes& bad, const Bytes& good) const {
    const auto differs = std::ranges::mismatch(bad, good).in2;
    const auto place = static_cast<std::size_t>(differs - good.begin());
    Bytes prefix = good.substr(0, place);
    std::uint64_t low = number_at(bad, place);
    std::uint64_t high = number_at(good, place);
    Bytes found = good;
    while (true) {
      halve(prefix, low, high, found);
      prefix = with_number(prefix, low);
      Bytes least = prefix + '\0';
      if (reads_from(least)) return least;
      Bytes most = prefix + Bytes(window, '\xff');
      if (prefix.size() > asked_bytes || !reads_from(most)) break;
      found = std::move(most);
      low = 0;
      high = ~std::uint64_t{0};
    }
    // A key that ends where `found` has only zeros lies right before it.
    Bytes shorter = found;
    while (!shorter.empty() && shorter.back() == '\0') shorter.pop_back();
    return reads_from(shorter) ? shorter : found;
  }

  void halve(const Bytes& prefix, std::uint64_t& low, std::uint64_t high, Bytes& found) const {
    while (high - low > 1) {
      const std::uint64_t middle = low + (high - low) / 2;
      Bytes key = with_number(prefix, middle);
      if (reads_from(key)) {
        high = middle;
        found = std::move(key);
      } else {
        low = middle;
      }
    }
  }

  const ReadableRows& rows_;
  const Family family_;
  const Bytes to_;
  Bytes last_;  // Nothing up to it is still to come.
  std::unique_ptr<KvIterator> at_;
};

Result<std::optional<Bytes>> ReadableRows::get(Family family, BytesView key,
                                               storage::Reach reach) const {
  auto got = store_.get(family, key, reach);
  if (got) return got;
  add(family, got.error().text);
  return std::optional<Bytes>{};
}

std::unique_ptr<KvIterator> ReadableRows::scan(Family family, BytesView from, BytesView to) const {
  return std::make_unique<Walk>(*this, family, from, to);
}

Result<void> ReadableRows::commit(const storage::Batch& /*batch*/,
                                  storage::Durability /*durability*/) {
  return Error{Errc::refused, "a damaged store is only read"};
}

void ReadableRows::add(Family family, const std::string& text) const {
  Damage damage{family, text};
  if (std::ranges::find(damages_, damage) == damages_.end()) damages_.push_back(std::move(damage));
}

}  // namespace naru::tools
