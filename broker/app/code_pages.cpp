#include "broker/app/code_pages.hpp"

#include <sys/mman.h>

#include <fstream>
#include <sstream>
#include <string>

namespace naru::broker {

namespace {

struct Mapping {
  AddressRange range;
  bool of_file = false, writable = false;
  std::uint64_t resident_kb = 0, changed_kb = 0;
  bool tells_dirty = false, tells_anonymous = false;
};

// "BEGIN-END PERMISSIONS OFFSET DEVICE INODE FILE"; false: the line is about the mapping before it.
bool read_head(const std::string& line, Mapping& mapping) {
  std::istringstream in{line};
  std::string permissions, offset, device;
  std::uint64_t inode = 0;
  char dash = 0;
  Mapping read;
  in >> std::hex >> read.range.begin >> dash >> read.range.end >> permissions >> offset >> device >>
      std::dec >> inode;
  if (!in || dash != '-' || permissions.size() < 2) return false;
  read.of_file = inode != 0;
  read.writable = permissions[1] == 'w';
  mapping = read;
  return true;
}

// "NAME: NUMBER kB"
void read_size(const std::string& line, Mapping& mapping) {
  std::istringstream in{line};
  std::string name;
  std::uint64_t kb = 0;
  if (!(in >> name >> kb)) return;
  if (name == "Rss:") mapping.resident_kb = kb;
  if (name == "Private_Dirty:" || name == "Anonymous:" || name == "Swap:") mapping.changed_kb += kb;
  if (name == "Private_Dirty:") mapping.tells_dirty = true;
  if (name == "Anonymous:") mapping.tells_anonymous = true;
}

}  // namespace

std::vector<AddressRange> clean_file_pages(std::istream& smaps) {
  std::vector<AddressRange> found;
  Mapping mapping;
  const auto take = [&] {
    const bool clean = mapping.tells_dirty && mapping.tells_anonymous && mapping.changed_kb == 0;
    if (!clean || !mapping.of_file || mapping.writable || mapping.resident_kb == 0) return;
    found.push_back(mapping.range);
  };
  for (std::string line; std::getline(smaps, line);) {
    Mapping next;
    if (read_head(line, next)) {
      take();
      mapping = next;
    } else {
      read_size(line, mapping);
    }
  }
  take();
  return found;
}

void give_back_code_pages() {
  std::ifstream smaps{"/proc/self/smaps"};
  for (const AddressRange& range : clean_file_pages(smaps)) {
    // An error changes nothing: the pages stay.
    ::madvise(reinterpret_cast<void*>(range.begin), range.end - range.begin, MADV_DONTNEED);
  }
}

}  // namespace naru::broker
