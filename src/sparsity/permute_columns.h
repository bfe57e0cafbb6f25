// In which groups of four a weight's input channels should lie, so that 2:4 keeps most of it (Pool and Yu 2021,
// "Channel Permutations for N:M Sparsity").
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "src/base/thread_pool.h"

namespace tamis {

// What each element of some rows is worth, not negative, column after column. Rows may come from several weights that
// read the same channels.
class SaliencyColumns {
 public:
  static constexpr int64_t kRowBlock = 16;  // columns are padded with zeros to a multiple of it

  SaliencyColumns(int64_t rows, int64_t columns);
  int64_t rows() const { return rows_; }
  int64_t padded_rows() const { return padded_; }
  int64_t columns() const { return columns_; }
  float* column(int64_t c) { return data_.data() + c * padded_; }
  const float* column(int64_t c) const { return data_.data() + c * padded_; }

 private:
  int64_t rows_, padded_, columns_;
  std::vector<float> data_;
};

// Four columns that share two places of a row; -1 is a place without a column. Columns from `movable` on stay where
// they are: the group's other places belong to somebody else.
using ColumnGroup = std::array<int32_t, 4>;
struct ColumnGroups {
  int64_t movable = 0;
  std::vector<ColumnGroup> groups;  // every movable column is in one of them
};

struct ColumnSearchOptions {
  uint64_t seed = 1;
  // Blocks of 16 rows that pairs of groups may be judged by until no exchange pays, a few hundred cycles each. Beyond
  // that only a share of the rows decides.
  int64_t block_limit = 300'000'000;
};

struct ColumnOrder {
  std::vector<int32_t> order;    // the column that comes to where column i was
  double before = 0, after = 0;  // sum of the two largest of every group and row
};

// All 35 ways to deal eight columns to two groups are tried for all pairs of groups, the best exchanges are made, and
// the pairs that they touched are tried again until none pays; then some columns are thrown about and the search
// repeated, as long as that helps and takes no more than half the time of the first descent. `after` is never below
// `before`. The same result for any number of threads and any instruction set.
ColumnOrder FindColumnOrder(const SaliencyColumns& saliency, const ColumnGroups& groups,
                            const ColumnSearchOptions& options, ThreadPool& pool);

// Sum over rows and groups of the two largest elements, in double.
double TwoLargestSum(const SaliencyColumns& saliency, const ColumnGroups& groups);

}  // namespace tamis
