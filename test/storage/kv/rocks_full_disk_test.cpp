// test/storage/kv/rocks_full_disk_test.cpp
//
// Goal: on a full disk a commit is refused whole, reading goes on, and commits work again by
// themselves when room returns; after a restart exactly the accepted rows are there.
// Method: a tmpfs of 40 MB, with a filler file that takes and gives the room. Mounting needs root;
// without it the cases only say so.

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "storage/kv/rocks_kv.hpp"
#include "test/storage/kv/scratch_directory.hpp"

namespace naru::storage {
namespace {

namespace fs = std::filesystem;

class SmallDisk {
 public:
  SmallDisk() {
    fs::create_directory(path());
    mounted_ = ::mount("tmpfs", path().c_str(), "tmpfs", 0, "size=40m") == 0;
    if (!mounted_) WARN("not run: mounting a tmpfs needs root");
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path().c_str(), MNT_DETACH);
  }

  bool mounted() const { return mounted_; }
  std::string path() const { return scratch_.path("disk"); }

  // Others may take or free room at the same time; whatever is there when it ends is left.
  void take_all_but(std::uint64_t bytes) {
    const int file = ::open(filler().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(file >= 0);
    const off_t end = ::lseek(file, 0, SEEK_END);
    int failed = ENOSPC;
    while (failed == ENOSPC) {
      const auto free = fs::space(path()).available;
      if (free <= bytes) break;
      failed = ::posix_fallocate(file, end, static_cast<off_t>(free - bytes));
    }
    ::close(file);
  }
  void give_back() { fs::remove(filler()); }

 private:
  std::string filler() const { return path() + "/filler"; }

  ScratchDirectory scratch_;
  bool mounted_ = false;
};

RocksOptions options_on(const SmallDisk& disk) {
  RocksOptions options;
  options.directory = disk.path() + "/store";
  return options;
}

std::unique_ptr<RocksKv> open(const RocksOptions& options) {
  auto opened = RocksKv::open(options);
  if (!opened) FAIL(opened.error().text);
  return std::move(*opened);
}

Bytes key_of(unsigned n) {
  const auto digits = std::to_string(n);
  return Bytes(6 - digits.size(), '0') + digits;
}

// Bytes that do not compress.
Bytes noise(unsigned seed, std::size_t size) {
  Bytes made(size, '\0');
  for (char& byte : made) byte = static_cast<char>((seed = seed * 1664525u + 1013904223u) >> 24);
  return made;
}

Result<void> put(RocksKv& store, unsigned n, std::size_t size = 3000) {
  Batch batch;
  batch.put(Family::journal, key_of(n), noise(n, size));
  batch.put(Family::cursor, key_of(n), "half of a batch is no batch");
  return store.commit(batch, Durability::synced);
}

// Commits from `n` on until one is refused; the number of that one.
unsigned fill(RocksKv& store, unsigned n) {
  while (true) {
    const auto done = put(store, n);
    if (done) {
      ++n;
      continue;
    }
    INFO(done.error().text);
    REQUIRE(done.error().code == Errc::no_space);
    return n;
  }
}

// Tries until it is accepted, as a broker does that holds back its acknowledgements.
void put_at_last(RocksKv& store, unsigned n) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (true) {
    const auto done = put(store, n);
    if (done) return;
    REQUIRE(done.error().code == Errc::no_space);
    REQUIRE(std::chrono::steady_clock::now() < until);
    std::this_thread::yield();
  }
}

void check_rows(const RocksKv& store, unsigned count) {
  for (const auto family : {Family::journal, Family::cursor}) {
    unsigned n = 0;
    auto at = store.scan(family, "", "");
    for (; at->valid(); at->next(), ++n) REQUIRE(at->key() == key_of(n));
    CHECK(at->status().has_value());
    CHECK(n == count);
  }
}

}  // namespace

TEST_CASE("RocksKv refuses whole commits on a full disk and goes on when it has room", "[rocks]") {
  SmallDisk disk;
  if (!disk.mounted()) return;
  const auto options = options_on(disk);
  auto store = open(options);
  disk.take_all_but(std::uint64_t{16} << 20);
  unsigned next = fill(*store, 0);
  CHECK(next > 500);
  check_rows(*store, next);  // Reading goes on.

  // A flush may still give some room back.
  for (int again = 0; again < 3; ++again) {
    disk.take_all_but(0);
    next = fill(*store, next);
  }
  check_rows(*store, next);

  disk.give_back();
  for (unsigned n = 0; n < 10; ++n) put_at_last(*store, next++);
  check_rows(*store, next);
  store.reset();
  check_rows(*open(options), next);
}

TEST_CASE("RocksKv recovers from a flush that found the disk full", "[rocks]") {
  SmallDisk disk;
  if (!disk.mounted()) return;
  const auto options = options_on(disk);
  auto store = open(options);
  unsigned next = 0;
  while (next < 300) REQUIRE(put(*store, next++).has_value());
  disk.take_all_but(0);
  CHECK(store->flush().error().code == Errc::no_space);
  CHECK(put(*store, next).error().code == Errc::no_space);
  check_rows(*store, next);

  disk.give_back();
  put_at_last(*store, next++);
  check_rows(*store, next);
  store.reset();
  check_rows(*open(options), next);
}

TEST_CASE("RocksKv can be closed on a full disk and loses nothing", "[rocks]") {
  SmallDisk disk;
  if (!disk.mounted()) return;
  const auto options = options_on(disk);
  auto store = open(options);
  const unsigned next = fill(*store, 0);
  disk.take_all_but(0);
  store.reset();
  // What was set aside may be enough to start, or may not: then it says so and touches nothing.
  {
    const auto again = RocksKv::open(options);
    if (again) check_rows(**again, next);
    if (!again) CHECK(again.error().code == Errc::no_space);
  }
  disk.give_back();
  check_rows(*open(options), next);
}

TEST_CASE("RocksKv keeps within a disk of 40 MB while it is used", "[rocks]") {
  SmallDisk disk;
  if (!disk.mounted()) return;
  const auto store = open(options_on(disk));
  // Three times the disk, in rows that replace one another.
  for (unsigned n = 0; n < 40000; ++n) {
    const auto done = put(*store, n % 1000);
    INFO(n);
    if (!done) FAIL(done.error().text);
  }
  check_rows(*store, 1000);
}

}  // namespace naru::storage
