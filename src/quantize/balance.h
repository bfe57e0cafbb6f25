// Factors between the channels of an activation and the weights that read them, so that one scale fits all channels
// (SmoothQuant, Xiao et al. 2023).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tamis {

// Of one activation, by channel: the largest magnitude that was seen, and the mean square.
struct ChannelSizes {
  std::vector<double> largest, mean_square;
};
// Weights [outputs][channels] that multiply it.
struct BalancedWeight {
  std::vector<float> rows;
  int64_t outputs = 0;
};

struct Balance {
  std::vector<float> factors;    // the activation is multiplied by them, the weights are divided
  double before = 0, after = 0;  // expected squared error of the products' outputs, as a share of the outputs' squares
};
// The best r_j = w_j^(1 - a) / x_j^a over a, where x_j and w_j are the largest of the channel in the activation and in
// the weights; r = 1 is among them. The error is that of uniform rounding: of the activation, by one step for all
// channels, seen through the weights, and of the weights, by one step for each output, seen through the activation.
Balance ChooseBalance(const ChannelSizes& sizes, std::span<const BalancedWeight> weights);

}  // namespace tamis
