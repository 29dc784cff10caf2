// storage/base/deadlines.cpp: the two kinds that many use, compiled once.

#include "storage/base/deadlines.hpp"

namespace naru {

template class Deadlines<std::uint64_t, Instant>;
template class Deadlines<std::uint64_t, StoreMillis>;

}  // namespace naru
