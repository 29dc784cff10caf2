// broker/app/code_pages.hpp
//
// Most pages of the program and its libraries are looked at once, while it starts. They are given
// back to the system then, which keeps what others use and reads again what is needed again.
//
// Edge: reads /proc, and tells the kernel. Any thread; at any time, as nothing in these pages was
// ever written.
#pragma once

#include <cstdint>
#include <istream>
#include <vector>

namespace naru::broker {

struct AddressRange {
  std::uint64_t begin = 0, end = 0;
  bool operator==(const AddressRange&) const = default;
};

// Of /proc/PID/smaps: what is mapped from a file, cannot be written and never was, and is resident.
std::vector<AddressRange> clean_file_pages(std::istream& smaps);
void give_back_code_pages();

}  // namespace naru::broker
