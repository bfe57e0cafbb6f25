#include "src/kernels/gemm/cuda/cuda_mma_choice.h"

#include <algorithm>

namespace tamis::cuda {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// In arbitrary units, about one for each depth step of a 64x64 tile: waves of blocks over the multiprocessors, the
// steps of each, and what a block does before and after them.
double PredictedCost(const Device& device, MmaChoice choice, int64_t rows, int64_t outputs, int64_t depth) {
  const MmaTile tile = kMmaTiles[choice.tile];
  const int64_t blocks = CeilDiv(rows, tile.rows) * CeilDiv(outputs, tile.outputs) * choice.split;
  const int64_t resident = 227 * 1024 / kMmaSharedBytes[choice.tile];  // blocks on one multiprocessor
  const double waves = static_cast<double>(CeilDiv(blocks, device.multiprocessors * std::max<int64_t>(resident, 1)));
  const double share =
      std::min<double>(static_cast<double>(resident), static_cast<double>(CeilDiv(blocks, device.multiprocessors)));
  const double area = tile.rows * tile.outputs / 4096.0;
  const double steps = static_cast<double>(CeilDiv(CeilDiv(depth, kMmaDepthStep), choice.split));
  // Neighbouring blocks on one multiprocessor share its tensor cores, but hide each other's waits.
  const double step = 0.35 + (choice.tile < kWarpTiles ? 0.3 : 0.17) * area * share;
  return waves * (steps * step + 4 + area * share) + (choice.split > 1 ? 3.0 + 0.5 * choice.split : 0.0);
}

}  // namespace

std::vector<MmaChoice> MmaChoices(const Device& device, MmaSource source, int64_t rows, int64_t outputs, int64_t depth,
                                  size_t limit) {
  std::vector<std::pair<double, MmaChoice>> costed;
  const int64_t steps = CeilDiv(depth, kMmaDepthStep);
  const bool warpgroups = device.compute == 90 && (source == MmaSource::kRows || source == MmaSource::kPixels);
  for (int tile = 0; tile < kWarpTiles + (warpgroups ? kWarpgroupTiles : 0); ++tile) {
    if (static_cast<size_t>(kMmaSharedBytes[tile]) > device.shared_bytes_per_block) continue;
    for (const int split : {1, 2, 4, 8}) {
      // Clusters are in the machine code for 9.0 only.
      if (split > 1 && (device.compute != 90 || steps < 2 * split || tile >= kWarpTiles)) continue;
      costed.emplace_back(PredictedCost(device, {tile, split}, rows, outputs, depth), MmaChoice{tile, split});
    }
  }
  std::stable_sort(costed.begin(), costed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<MmaChoice> choices;
  for (const auto& [cost, choice] : costed) {
    if (choices.size() < limit) choices.push_back(choice);
  }
  return choices;
}

}  // namespace tamis::cuda
