#include "src/sparsity/magnitude.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis {

namespace {

constexpr int64_t kMostGroup = 16;  // of which all pairs are compared; larger ones are sorted

int64_t HalfOf(int64_t columns) {
  return (columns + 1) / 2;
}

// f(first column, columns, how many stay) for every group of a row.
template <class F>
void ForGroups(const WeightLayout& layout, const MaskRule& rule, const F& f) {
  if (rule.group == 0) return f(0, layout.columns, HalfOf(layout.columns));
  for (int64_t run = 0; run < layout.columns; run += layout.run) {
    for (int64_t at = 0; at < layout.run; at += rule.group) {
      f(run + at, std::min(rule.group, layout.run - at), rule.kept);
    }
  }
}

template <class T>
bool HoldsTyped(const T* row, const WeightLayout& layout, const MaskRule& rule) {
  bool holds = true;
  for (int64_t r = 0; r < layout.rows && holds; ++r, row += layout.columns) {
    ForGroups(layout, rule, [&](int64_t begin, int64_t size, int64_t kept) {
      holds = holds && size - std::count(row + begin, row + begin + size, T{}) <= kept;
    });
  }
  return holds;
}

}  // namespace

std::string Name(const MaskRule& rule) {
  return rule.group == 0 ? "unstructured" : fmt::format("{}:{}", rule.kept, rule.group);
}

void KeepLargest(std::span<const double> saliency, const WeightLayout& layout, const MaskRule& rule, uint8_t* mask) {
  std::vector<int64_t> order;
  ForGroups(layout, rule, [&](int64_t begin, int64_t size, int64_t kept) {
    const auto before = [&](int64_t a, int64_t b) {
      const double x = saliency[static_cast<size_t>(a)], y = saliency[static_cast<size_t>(b)];
      return x > y || (x == y && a < b);
    };
    if (size > kMostGroup) {
      order.resize(static_cast<size_t>(size));
      std::iota(order.begin(), order.end(), begin);
      std::nth_element(order.begin(), order.begin() + kept, order.end(), before);
      std::fill_n(mask + begin, size, uint8_t{0});
      for (int64_t i = 0; i < kept; ++i) mask[order[static_cast<size_t>(i)]] = 1;
      return;
    }
    for (int64_t i = begin; i < begin + size; ++i) {
      int64_t larger = 0;
      for (int64_t j = begin; j < begin + size; ++j) larger += before(j, i);
      mask[i] = larger < kept;
    }
  });
}

bool Holds(const Tensor& weight, const MaskRule& rule) {
  const WeightLayout layout = LayoutOf(weight.dims());
  if (weight.dtype() == DType::kInt8) return HoldsTyped(weight.Data<int8_t>(), layout, rule);
  return weight.dtype() == DType::kFloat32 && HoldsTyped(weight.Data<float>(), layout, rule);
}

Mask MagnitudeMask(std::span<const float> weight, const WeightLayout& layout, const MaskRule& rule) {
  Mask mask(weight.size(), 0);
  std::vector<double> magnitude(static_cast<size_t>(layout.columns));
  for (int64_t row = 0; row < layout.rows; ++row) {
    const auto begin = static_cast<size_t>(row * layout.columns);
    for (size_t i = 0; i < magnitude.size(); ++i) magnitude[i] = std::fabs(weight[begin + i]);
    KeepLargest(magnitude, layout, rule, mask.data() + begin);
  }
  return mask;
}

Mask MagnitudeMask(std::span<const float> weight, const WeightLayout& layout, std::span<const int64_t> partner,
                   const MaskRule& rule) {
  std::vector<float> both(weight.begin(), weight.end());
  for (int64_t row = 0; row < layout.rows; ++row) {
    const int64_t other = partner[static_cast<size_t>(row)];
    if (other == row) continue;
    for (int64_t i = 0; i < layout.columns; ++i) {
      both[static_cast<size_t>(row * layout.columns + i)] =
          std::hypot(weight[static_cast<size_t>(row * layout.columns + i)],
                     weight[static_cast<size_t>(other * layout.columns + i)]);
    }
  }
  return MagnitudeMask(both, layout, rule);
}

double SaliencyKept(std::span<const float> weight, std::span<const uint8_t> mask) {
  double kept = 0, total = 0;
  for (size_t i = 0; i < weight.size(); ++i) {
    const double square = static_cast<double>(weight[i]) * weight[i];
    total += square;
    if (mask[i]) kept += square;
  }
  return total == 0 ? 1 : kept / total;
}

void ApplyMask(std::span<const uint8_t> mask, std::span<float> weight) {
  for (size_t i = 0; i < weight.size(); ++i) {
    if (!mask[i]) weight[i] = 0;
  }
}

}  // namespace tamis
