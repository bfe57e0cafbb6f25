#include "src/compiler/prune/prune_moments.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>

#include "src/compiler/prune/prune_norms.h"
#include "src/compiler/prune/prune_rows.h"

namespace tamis {
namespace {

// Rows worth taking for K columns: many where the products are cheap, and always enough to know K^2 moments well.
int64_t RowLimit(int64_t columns) {
  return std::clamp<int64_t>(200'000'000'000 / (columns * columns), 40'000, 200'000);
}
// Rows that are gathered together: at most 32 MB of them, and of enough, for products sum 256 rows in f32.
size_t RowsAtOnce(int64_t columns) {
  constexpr int64_t kElements = int64_t{8} << 20;
  return static_cast<size_t>(std::clamp<int64_t>(kElements / columns / 256 * 256, 256, 8192));
}

// Columns [begin, begin + count) of these rows.
std::vector<float> Cut(const Tensor& matrix, const Positions& rows, int64_t begin, int64_t count) {
  const int64_t width = matrix.dim(-1);
  std::vector<float> part(rows.size() * static_cast<size_t>(count));
  float* out = part.data();
  for (const int64_t row : rows) out = std::copy_n(matrix.Data<float>() + row * width + begin, count, out);
  return part;
}

// What each of `count` positions counts, by its sample; empty if they can't be told apart by samples.
std::vector<float> Spread(const std::vector<float>& of_samples, int64_t count) {
  std::vector<float> result;
  const int64_t each = count / std::max<int64_t>(1, static_cast<int64_t>(of_samples.size()));
  if (each * static_cast<int64_t>(of_samples.size()) != count) return result;
  for (const float share : of_samples) result.insert(result.end(), static_cast<size_t>(each), share);
  return result;
}

std::vector<float> Picked(const std::vector<float>& shares, const Positions& positions) {
  std::vector<float> picked;
  if (shares.empty()) return picked;
  for (const int64_t position : positions) picked.push_back(shares[static_cast<size_t>(position)]);
  return picked;
}

}  // namespace

std::vector<MomentFolds> EmptyMoments(const WeightLayer& layer) {
  const Moments none(layer.layout.columns, layer.layout.rows / layer.groups);
  return std::vector<MomentFolds>(static_cast<size_t>(layer.groups), MomentFolds{none, none});
}

Status AddMoments(const Graph& graph, const WeightLayer& layer, NodeId user, PairedRun& run, const TokenFilter& filter,
                  const SampleShares* shares, uint64_t seed, ThreadPool& pool, std::vector<MomentFolds>* moments) {
  const Node& node = graph.node(user);
  const ValueId input = node.inputs[0];
  const Tensor& weight = *graph.value(layer.weight).constant;
  std::vector<Positions> positions(run.batches());
  std::vector<int64_t> counts(run.batches());
  int64_t total = 0;
  bool by_tokens = false;
  for (size_t b = 0; b < run.batches(); ++b) {
    counts[b] = CountPositions(node, run.dense(b, input), weight);
    positions[b].resize(static_cast<size_t>(counts[b]));
    std::iota(positions[b].begin(), positions[b].end(), int64_t{0});
    const Type& type = graph.value(input).type;
    if (filter.mask && node.IsTamis("Linear") && type.has_rank) {
      by_tokens = KeepRealTokens(*filter.mask, filter.flags[b], type.shape, &positions[b]);
    }
    total += static_cast<int64_t>(positions[b].size());
  }
  const double share =
      static_cast<double>(RowLimit(layer.layout.columns)) / static_cast<double>(std::max<int64_t>(1, total));
  const int64_t outputs = layer.layout.rows / layer.groups;
  const std::optional<RowNorm> norm = NormBehind(graph, user);
  std::mt19937_64 random(seed);
  std::vector<float> rows;
  for (size_t b = 0; b < run.batches(); ++b) {
    if (share < 1) {
      std::erase_if(positions[b], [&](int64_t) { return static_cast<double>(random() >> 11) * 0x1p-53 >= share; });
    }
    TAMIS_ASSIGN_OR_RETURN(const std::optional<Tensor> gap, run.Gap(b, user));
    std::vector<float> counted;  // by position; empty: all once
    if (shares != nullptr) {
      counted = Spread((*shares)[b], counts[b]);
    } else if (by_tokens && filter.answers_once) {
      counted = Spread(EvenShares(filter.flags[b]), counts[b]);
    }
    if (norm) {
      TAMIS_ASSIGN_OR_RETURN(const Tensor outputs, run.DenseResult(b, user));
      const std::vector<float> through = SharesBehind(*norm, outputs);
      counted.resize(through.size(), 1);
      std::transform(through.begin(), through.end(), counted.begin(), counted.begin(), std::multiplies<>());
    }
    const size_t count = positions[b].size(), step = RowsAtOnce(layer.layout.columns);
    for (size_t begin = 0; begin < count; begin += step) {
      const size_t end = std::min(count, begin + step);
      const auto first = positions[b].begin();
      const Positions part(first + static_cast<int64_t>(begin), first + static_cast<int64_t>(end));
      // A single batch lies with its first samples in one fold and its last ones in the other.
      const size_t fold = run.batches() > 1 ? b % 2 : begin >= count / 2;
      const std::vector<float> part_shares = Picked(counted, part);
      for (int64_t g = 0; g < layer.groups; ++g) {
        GatherRows(node, run.pruned(b, input), weight, g, part, pool, &rows);
        std::vector<float> gaps;
        if (gap) gaps = Cut(*gap, part, g * outputs, outputs);
        (*moments)[static_cast<size_t>(g)][fold].Add(rows.data(), gap ? gaps.data() : nullptr,
                                                     static_cast<int64_t>(part.size()), pool, part_shares);
      }
    }
    run.Rest(b);
  }
  return {};
}

}  // namespace tamis
