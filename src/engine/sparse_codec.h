// The stored form of a 2:4 weight: per group of four elements along the last axis two elements and a 4-bit code.
//
// Rows are independent: a row of `row_elements` has ceil(row_elements / 4) groups, the last one padded with zeros. The
// encoded bytes are all elements, then all codes, two a byte (see Encoding in engine.fbs). Works on bits, so any
// element of 1, 2 or 4 bytes round trips; a negative zero that is a third entry of its group comes back as zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tamis/dtype.h"

namespace tamis {

struct SparseShape {
  uint64_t rows = 0;
  uint64_t row_elements = 0;
  uint32_t element_bytes = 0;

  uint64_t Groups() const { return rows * ((row_elements + 3) / 4); }
  uint64_t ValueBytes() const { return Groups() * 2 * element_bytes; }
  uint64_t EncodedBytes() const { return ValueBytes() + (Groups() + 1) / 2; }
  uint64_t DecodedBytes() const { return rows * row_elements * element_bytes; }
};

// Whether elements of this type have a 2:4 stored form.
bool CanEncodeTwoFour(DType dtype);
// nullopt if a group has more than two non-zero elements. `data` holds DecodedBytes(); float types know negative zero.
std::optional<std::vector<uint8_t>> EncodeTwoFour(const void* data, const SparseShape& shape, bool is_float);
// Decodes groups of rows [row_begin, row_end). `decoded` is the whole weight, and zero there already; nothing outside
// the rows is written whatever `encoded` (EncodedBytes() long) holds.
void DecodeTwoFour(const uint8_t* encoded, const SparseShape& shape, uint64_t row_begin, uint64_t row_end,
                   void* decoded);

}  // namespace tamis
