// test/broker/app/code_pages_test.cpp
//
// Goal: only pages are given back that come from a file and were never written. Method: a page of
// /proc as the kernel writes it, cut short at every place, and the process of the test itself.

#include "broker/app/code_pages.hpp"

#include <catch2/catch.hpp>

#include <sstream>

namespace naru::broker {
namespace {

constexpr const char* smaps =
    "00400000-00500000 r-xp 00001000 fe:00 1234    /usr/sbin/narud with a blank\n"
    "Size:               1024 kB\n"
    "Rss:                 512 kB\n"
    "Private_Clean:       512 kB\n"
    "Private_Dirty:         0 kB\n"
    "Anonymous:             0 kB\n"
    "VmFlags: rd ex mr mw me sd\n"
    "00500000-00600000 r--p 00101000 fe:00 1234    /usr/sbin/narud\n"
    "Rss:                   8 kB\n"
    "Private_Dirty:         8 kB\n"  // Relocated.
    "00600000-00700000 rw-p 00201000 fe:00 1234    /usr/sbin/narud\n"
    "Rss:                   8 kB\n"
    "Private_Dirty:         0 kB\n"
    "00700000-00800000 r--p 00000000 00:00 0\n"
    "Rss:                   8 kB\n"
    "00800000-00900000 r--p 00000000 fe:00 77      /usr/lib/never/looked/at\n"
    "Rss:                   0 kB\n"
    "00900000-00a00000 r--s 00000000 fe:00 78      /usr/lib/shared\n"
    "Rss:                   4 kB\n"
    "Anonymous:             4 kB\n"
    "00a00000-00b00000 r--p 00000000 fe:00 79      /usr/lib/not/told/all\n"
    "Rss:                   4 kB\n"
    "Private_Dirty:         0 kB\n"
    "7ffd00000000-7ffd00021000 r--p 00000000 fe:00 80 /usr/lib/last\n"
    "Rss:                   4 kB\n"
    "Private_Dirty:         0 kB\n"
    "Anonymous:             0 kB\n";

std::vector<AddressRange> clean(const std::string& text) {
  std::istringstream in{text};
  return clean_file_pages(in);
}

}  // namespace

TEST_CASE("Pages of files that were never written are given back", "[code_pages]") {
  const std::vector<AddressRange> expected{{0x400000, 0x500000}, {0x7ffd00000000, 0x7ffd00021000}};
  CHECK((clean(smaps) == expected));
  CHECK(clean("").empty());
  CHECK(clean("no page of /proc\nat all: 7 kB\n").empty());
  const std::string text = smaps;
  for (std::size_t end = 0; end < text.size() - 10; ++end) {
    CHECK(clean(text.substr(0, end)).size() <= 1);
  }
}

TEST_CASE("The program goes on when its code has been given back", "[code_pages]") {
  give_back_code_pages();
  CHECK(clean(smaps).size() == 2);
}

}  // namespace naru::broker
