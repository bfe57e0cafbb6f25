#include "src/kernels/gemm/packed_columns.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "src/kernels/gemm/two_four_masks.h"
#include "src/kernels/get_packed.h"

namespace tamis {
uint8_t CodeOfMask(unsigned mask) {
  if (mask == 0) return 0;
  const auto first = static_cast<unsigned>(std::countr_zero(mask));
  const unsigned rest = mask & (mask - 1);
  return static_cast<uint8_t>(first | (rest != 0 ? static_cast<unsigned>(std::countr_zero(rest)) : first) << 2);
}

std::vector<int32_t> FindPartners(const uint8_t* masks, int64_t rows, int64_t groups) {
  std::vector<int32_t> partner(static_cast<size_t>(rows), -1);
  const auto fit = [&](int64_t a, int64_t b) {
    const uint8_t *p = masks + a * groups, *q = masks + b * groups;
    for (int64_t g = 0; g < groups; ++g) {
      if (std::popcount(static_cast<unsigned>(p[g] | q[g])) > 2) return false;
    }
    return true;
  };
  // Strangers differ within the first few groups.
  for (int64_t a = 0; a < rows; ++a) {
    for (int64_t b = a + 1; b < rows && partner[static_cast<size_t>(a)] < 0; ++b) {
      if (partner[static_cast<size_t>(b)] >= 0 || !fit(a, b)) continue;
      partner[static_cast<size_t>(a)] = static_cast<int32_t>(b);
      partner[static_cast<size_t>(b)] = static_cast<int32_t>(a);
    }
  }
  return partner;
}

template <class T>
void PackedColumns::FillSection(const T* dense, const std::vector<uint8_t>& masks, const Chunk& chunk,
                                const Section& section) {
  const int64_t groups = (depth_ + 3) / 4, width = section.width;
  for (int64_t unit = 0; unit < section.units(); ++unit) {
    const int32_t* members = section.outputs.data() + unit * width;
    for (int64_t group = 0; group < groups; ++group) {
      unsigned mask = 0;
      for (int64_t i = 0; i < width; ++i) {
        mask |= masks[static_cast<size_t>((chunk.first + members[i]) * groups + group)];
      }
      const uint8_t code = CodeOfMask(mask);
      const int64_t block = group / (kBlock / 4), octet = group % (kBlock / 4) / 2;
      auto* codes = const_cast<uint8_t*>(this->codes(section, block, unit));
      codes[octet] |= static_cast<uint8_t>(group % 2 == 0 ? code : code << 4);
      auto* values = reinterpret_cast<T*>(const_cast<std::byte*>(this->values(section, block, unit)));
      values += (octet * 4 + group % 2 * 2) * width;
      const int kept = std::popcount(mask);
      for (int64_t j = 0; j < kept; ++j) {
        const int64_t position = group * 4 + (j == 0 ? code & 3 : code >> 2);
        for (int64_t i = 0; i < width; ++i)
          values[j * width + i] = dense[(chunk.first + members[i]) * depth_ + position];
      }
    }
  }
}

template <class T>
Status PackedColumns::Fill(const T* dense) {
  const int64_t groups = (depth_ + 3) / 4;
  TAMIS_ASSIGN_OR_RETURN(const std::vector<uint8_t> masks, TwoFourMasks(dense, outputs_, depth_));
  size_t value_count = 0, code_count = 0;
  for (int64_t first = 0; first < outputs_; first += kChunk) {
    Chunk chunk;
    chunk.first = first;
    chunk.outputs = std::min(kChunk, outputs_ - first);
    const auto partner = FindPartners(masks.data() + first * groups, chunk.outputs, groups);
    chunk.pairs.width = 2;
    for (int32_t i = 0; i < chunk.outputs; ++i) {
      const int32_t other = partner[static_cast<size_t>(i)];
      if (other < 0) chunk.singles.outputs.push_back(i);
      if (other > i) chunk.pairs.outputs.insert(chunk.pairs.outputs.end(), {i, other});
    }
    for (Section* section : {&chunk.pairs, &chunk.singles}) {
      section->first_value = value_count * sizeof(T);
      section->first_code = code_count;
      value_count += static_cast<size_t>(section->units() * octets() * 4 * section->width);
      value_count = (value_count + 15) / 16 * 16;
      code_count += static_cast<size_t>(section->units() * octets());
    }
    chunks_.push_back(std::move(chunk));
  }
  values_ = std::make_unique<PackedBytes>(value_count * sizeof(T));
  codes_ = std::make_unique<PackedBytes>(code_count);
  std::memset(values_->data(), 0, values_->Bytes());
  std::memset(codes_->data(), 0, codes_->Bytes());
  for (const Chunk& chunk : chunks_) {
    for (const Section* section : {&chunk.pairs, &chunk.singles}) FillSection(dense, masks, chunk, *section);
  }
  return {};
}

size_t PackedColumns::Bytes() const {
  return values_->Bytes() + codes_->Bytes() + static_cast<size_t>(outputs_) * sizeof(int32_t);
}

int64_t PackedColumns::paired_outputs() const {
  int64_t paired = 0;
  for (const Chunk& chunk : chunks_) paired += static_cast<int64_t>(chunk.pairs.outputs.size());
  return paired;
}

Result<std::shared_ptr<const PackedColumns>> PackedColumns::Make(const Tensor& weight) {
  TAMIS_ASSERT(weight.rank() >= 1 && weight.NumElements() > 0);
  const int64_t outputs = weight.dim(0);
  std::shared_ptr<PackedColumns> packed(new PackedColumns(weight.dtype(), outputs, weight.NumElements() / outputs));
  TAMIS_RETURN_IF_ERROR(weight.dtype() == DType::kFloat32 ? packed->Fill(weight.Data<float>())
                                                          : packed->Fill(weight.Data<uint16_t>()));
  return std::shared_ptr<const PackedColumns>(std::move(packed));
}

Result<std::shared_ptr<const PackedColumns>> PackedColumns::Get(PackCache& cache, uint64_t hash, const Tensor& weight) {
  return GetPacked<PackedColumns>(cache, hash, "columns/2:4", [&] { return Make(weight); });
}

}  // namespace tamis
