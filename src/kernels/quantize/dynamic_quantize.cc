#include "src/kernels/quantize/dynamic_quantize.h"

#include <algorithm>
#include <array>

#include "src/base/cpu.h"

namespace tamis {

DynamicScale QuantizeDynamically(const QuantizeBodies& bodies, const float* x, int64_t count, int threads,
                                 uint8_t* codes, ThreadPool& pool) {
  constexpr int64_t kGrain = 32768;  // elements that are worth a thread
  constexpr int kMostParts = 64;
  struct alignas(64) Bounds {  // a cache line for each part
    float low = 0, high = 0;
  };
  const int parts = static_cast<int>(std::clamp<int64_t>(count / kGrain, 1, std::clamp(threads, 1, kMostParts)));
  std::array<Bounds, kMostParts> bounds;
  const auto begin = [&](int part) { return count * part / parts; };
  const auto find = [&](int part) {
    float both[2];
    bodies.bounds(x + begin(part), begin(part + 1) - begin(part), both);
    bounds[static_cast<size_t>(part)] = {both[0], both[1]};
  };
  pool.Run(parts, [&find](int part) { find(part); });
  float low = 0, high = 0;
  for (size_t part = 0; part < static_cast<size_t>(parts); ++part) {
    low = std::min(low, bounds[part].low);
    high = std::max(high, bounds[part].high);
  }
  const DynamicScale scale = DynamicScaleOf(low, high);
  if (codes == nullptr) return scale;
  const auto write = [&](int part) {
    bodies.with_scale(x + begin(part), begin(part + 1) - begin(part), scale.scale, static_cast<float>(scale.zero),
                      codes + begin(part));
  };
  pool.Run(parts, [&write](int part) { write(part); });
  return scale;
}

DynamicScale QuantizeDynamically(const float* x, int64_t count, uint8_t* codes, ThreadPool& pool) {
  const QuantizeBodies& bodies = Cpu().isa == Isa::kAvx512 ? kQuantizeBodiesAvx512
                                 : Cpu().isa == Isa::kAvx2 ? kQuantizeBodiesAvx2
                                                           : kQuantizeBodiesSse2;
  return QuantizeDynamically(bodies, x, count, pool.threads(), codes, pool);
}

}  // namespace tamis
