// What one value of a network was like over the samples that it was calibrated with, and how live values compare.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tamis {

struct ValueRecord {
  std::string name;
  bool input = false;   // of the network; else an activation that has int8 codes
  int64_t samples = 0;  // that it was seen in
  double low = 0, high = 0, mean = 0, deviation = 0;
  double growth = 0;  // by how much the second half of the samples widened the range, as a share of it
  // How many elements lay in each of so many equal parts of [low, high]; the last holds `high` too.
  std::vector<uint64_t> bins;

  static constexpr int64_t kBins = 64;
  uint64_t Count() const;
};

// Elements of the same value, seen later. Not synchronised.
class ValueWatch {
 public:
  explicit ValueWatch(ValueRecord expected);
  void Add(std::span<const float> values);

  const ValueRecord& expected() const { return expected_; }
  uint64_t count() const { return count_; }
  // Share of the elements outside [low, high], or not finite.
  double Outside() const;
  // Jensen-Shannon divergence of the two distributions in bits, with what lies outside as two bins more: 0 where they
  // are equal, 1 where they have nothing in common. Of few elements it is above 0 by chance: about bins / (4 count).
  double Divergence() const;

 private:
  ValueRecord expected_;
  std::vector<uint64_t> bins_;
  uint64_t below_ = 0, above_ = 0, broken_ = 0, count_ = 0;
};

}  // namespace tamis
