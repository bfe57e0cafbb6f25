#include "src/sparsity/pattern.h"

#include <algorithm>
#include <cstring>

namespace tamis {
namespace {

// Elements are only compared with zero and moved, so an unsigned integer of their size stands for each dtype.
template <class U>
struct Bits {
  U zero_mask;  // bits that are all clear in a zero: everything but the sign of a float
  bool IsZero(U u) const { return (u & zero_mask) == 0; }
};

// Calls f(Bits<U>) with the unsigned type of the dtype's size.
template <class F>
Status WithBits(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kFloat64:
      return f(Bits<uint64_t>{~uint64_t{0} >> 1});
    case DType::kFloat32:
      return f(Bits<uint32_t>{0x7fffffffu});
    case DType::kFloat16:
    case DType::kBFloat16:
      return f(Bits<uint16_t>{0x7fff});
    case DType::kInt8:
    case DType::kUInt8:
      return f(Bits<uint8_t>{0xff});
    case DType::kFloat8E4M3:
      return f(Bits<uint8_t>{0x7f});
    default:
      return UserError("the 2:4 pattern is not defined for elements of {}", Name(dtype));
  }
}

Status CheckRank(std::span<const int64_t> dims) {
  if (dims.size() >= 2) return {};
  return UserError("the 2:4 pattern needs a weight of rank 2 or more, not {}", ToString(dims));
}

// Positions of the kept elements of one group, ascending; false if there are more than two non-zeros.
template <class U>
bool KeptPositions(const U* group, int64_t size, Bits<U> bits, int* first, int* second) {
  bool keep[kGroup] = {};
  int count = 0;
  for (int64_t i = 0; i < size; ++i) {
    keep[i] = !bits.IsZero(group[i]);
    count += keep[i];
  }
  if (count > kGroupKept) return false;
  for (int i = 0; count < kGroupKept; ++i) {
    if (!keep[i]) {
      keep[i] = true;
      ++count;
    }
  }
  *first = static_cast<int>(std::find(keep, keep + kGroup, true) - keep);
  *second = static_cast<int>(std::find(keep + *first + 1, keep + kGroup, true) - keep);
  return true;
}

}  // namespace

WeightLayout LayoutOf(std::span<const int64_t> dims) {
  TAMIS_ASSERT(dims.size() >= 2);
  WeightLayout layout;
  layout.rows = dims.front();
  layout.columns = NumElements(dims.subspan(1));
  layout.run = dims.back();
  return layout;
}

std::string BrokenGroup::ToString() const {
  return fmt::format("{} non-zeros in the group at {}", nonzeros, tamis::ToString(coordinates));
}

Result<std::optional<BrokenGroup>> FindBrokenGroup(const Tensor& weight) {
  TAMIS_RETURN_IF_ERROR(CheckRank(weight.dims()));
  const WeightLayout layout = LayoutOf(weight.dims());
  std::optional<BrokenGroup> broken;
  TAMIS_RETURN_IF_ERROR(WithBits(weight.dtype(), [&]<class U>(Bits<U> bits) -> Status {
    const U* data = weight.Data<U>();
    for (int64_t row = 0; row < layout.rows; ++row) {
      for (int64_t g = 0; g < layout.GroupsPerRow(); ++g) {
        int64_t offset = row * layout.columns + layout.GroupBegin(g);
        int nonzeros = 0;
        for (int64_t i = 0; i < layout.GroupSize(g); ++i) nonzeros += !bits.IsZero(data[offset + i]);
        if (nonzeros <= kGroupKept) continue;
        broken.emplace();
        broken->nonzeros = nonzeros;
        broken->coordinates.resize(weight.dims().size());
        for (size_t axis = weight.dims().size(); axis-- > 0;) {
          broken->coordinates[axis] = offset % weight.dims()[axis];
          offset /= weight.dims()[axis];
        }
        return {};
      }
    }
    return {};
  }));
  return broken;
}

std::vector<uint8_t> GroupMasks(const Tensor& weight, int64_t first, int64_t rows) {
  const WeightLayout layout = LayoutOf(weight.dims());
  TAMIS_ASSERT(first >= 0 && rows >= 0 && first + rows <= layout.rows);
  std::vector<uint8_t> masks;
  masks.reserve(static_cast<size_t>(rows * layout.GroupsPerRow()));
  const Status known = WithBits(weight.dtype(), [&]<class U>(Bits<U> bits) -> Status {
    for (int64_t row = first; row < first + rows; ++row) {
      for (int64_t g = 0; g < layout.GroupsPerRow(); ++g) {
        const U* group = weight.Data<U>() + row * layout.columns + layout.GroupBegin(g);
        unsigned mask = 0;
        for (int64_t i = 0; i < layout.GroupSize(g); ++i) mask |= static_cast<unsigned>(!bits.IsZero(group[i])) << i;
        masks.push_back(static_cast<uint8_t>(mask));
      }
    }
    return {};
  });
  TAMIS_ASSERT(known.ok());
  return masks;
}

Result<CompressedWeight> Compress(const Tensor& weight) {
  TAMIS_ASSIGN_OR_RETURN(const std::optional<BrokenGroup> broken, FindBrokenGroup(weight));
  if (broken) return UserError("the weight is not 2:4: {}", broken->ToString());
  const WeightLayout layout = LayoutOf(weight.dims());
  const int64_t groups = layout.GroupsPerRow();
  CompressedWeight compressed;
  compressed.dims = weight.dims();
  compressed.values = Tensor(weight.dtype(), {layout.rows, groups, kGroupKept});
  compressed.codes = Tensor(DType::kUInt8, {layout.rows, (groups + 1) / 2});
  TAMIS_RETURN_IF_ERROR(WithBits(weight.dtype(), [&]<class U>(Bits<U> bits) -> Status {
    U* value = compressed.values.Data<U>();
    for (int64_t row = 0; row < layout.rows; ++row) {
      uint8_t* codes = compressed.codes.Data<uint8_t>() + row * compressed.codes.dim(1);
      for (int64_t g = 0; g < groups; ++g) {
        const U* group = weight.Data<U>() + row * layout.columns + layout.GroupBegin(g);
        const int64_t size = layout.GroupSize(g);
        int position[kGroupKept] = {};
        const bool fits = KeptPositions(group, size, bits, &position[0], &position[1]);
        TAMIS_ASSERT(fits);
        for (int p : position) *value++ = p < size && !bits.IsZero(group[p]) ? group[p] : U{0};
        codes[g / 2] |= static_cast<uint8_t>((position[0] | position[1] << 2) << (g % 2 * 4));
      }
    }
    return {};
  }));
  return compressed;
}

Result<Tensor> Decompress(const CompressedWeight& compressed) {
  TAMIS_RETURN_IF_ERROR(CheckRank(compressed.dims));
  if (NumElements(compressed.dims) < 0) return UserError("impossible weight shape {}", ToString(compressed.dims));
  const WeightLayout layout = LayoutOf(compressed.dims);
  const int64_t groups = layout.GroupsPerRow();
  const Dims value_dims = {layout.rows, groups, kGroupKept};
  const Dims code_dims = {layout.rows, (groups + 1) / 2};
  if (compressed.values.dims() != value_dims || compressed.codes.dims() != code_dims ||
      compressed.codes.dtype() != DType::kUInt8) {
    return UserError("a 2:4 weight {} needs values {} and uint8 codes {}, but has {} and {} {}",
                     ToString(compressed.dims), ToString(value_dims), ToString(code_dims),
                     ToString(compressed.values.dims()), Name(compressed.codes.dtype()),
                     ToString(compressed.codes.dims()));
  }
  Tensor weight(compressed.values.dtype(), compressed.dims);
  TAMIS_RETURN_IF_ERROR(WithBits(weight.dtype(), [&]<class U>(Bits<U> bits) -> Status {
    const U* value = compressed.values.Data<U>();
    for (int64_t row = 0; row < layout.rows; ++row) {
      const uint8_t* codes = compressed.codes.Data<uint8_t>() + row * compressed.codes.dim(1);
      for (int64_t g = 0; g < groups; ++g) {
        const int code = codes[g / 2] >> (g % 2 * 4) & 15;
        const int position[kGroupKept] = {code & 3, code >> 2};
        U* group = weight.Data<U>() + row * layout.columns + layout.GroupBegin(g);
        if (position[0] >= position[1]) return UserError("row {}, group {}: {} is not a 2:4 code", row, g, code);
        for (int p : position) {
          const U element = *value++;
          if (p < layout.GroupSize(g)) {
            group[p] = element;
          } else if (!bits.IsZero(element)) {
            return UserError("row {}, group {}: a non-zero value lies in the padding", row, g);
          }
        }
      }
    }
    return {};
  }));
  return weight;
}

}  // namespace tamis
