// storage/kv/row_filter.hpp
//
// RowFilter tells the store which rows nobody needs any more, so that they go away when files are
// written anyway and need no deletion of their own.
//
// Interface: the store asks, the tables answer. Called from the store's own threads at any time,
// several at once: an answer must be thread-safe, quick, and take no lock a commit may hold.
// Owned by the composition root; must outlive the store. Nothing may rely on a droppable row
// being gone or being there: it goes at some flush or compaction, or never.
#pragma once

#include "storage/base/bytes.hpp"
#include "storage/kv/batch.hpp"

namespace naru::storage {

class RowFilter {
 public:
  virtual ~RowFilter() = default;
  // True is for ever: once droppable, a row must never be wanted again.
  virtual bool droppable(Family family, BytesView key, BytesView value) const = 0;
};

}  // namespace naru::storage
