#include "src/engine/sparse_codec.h"

#include <algorithm>
#include <cstring>

namespace tamis {
namespace {

template <class T>
bool Encode(const T* data, const SparseShape& shape, bool is_float, T* values, uint8_t* codes) {
  const T negative_zero = static_cast<T>(T{1} << (sizeof(T) * 8 - 1));
  uint64_t group = 0;
  for (uint64_t row = 0; row < shape.rows; ++row) {
    const T* in = data + row * shape.row_elements;
    for (uint64_t at = 0; at < shape.row_elements; at += 4, ++group) {
      const uint64_t count = std::min<uint64_t>(4, shape.row_elements - at);
      unsigned kept = 0;
      for (const bool zeros_count : {true, false}) {  // a negative zero is kept where there is room for it
        kept = 0;
        unsigned code = 0b0100;  // positions 0 and 1 until better ones are known
        T pair[2] = {0, 0};
        for (unsigned i = 0; i < count; ++i) {
          const T bits = in[at + i];
          if (bits == 0 || (!zeros_count && is_float && bits == negative_zero)) continue;
          if (kept < 2) {
            pair[kept] = bits;
            code = kept == 0 ? (i | ((i == 0 ? 1u : 0u) << 2)) : ((code & 3) | (i << 2));
          }
          ++kept;
        }
        if (kept > 2) continue;
        values[2 * group] = pair[0];
        values[2 * group + 1] = pair[1];
        codes[group / 2] = static_cast<uint8_t>(codes[group / 2] | (code << (group % 2 * 4)));
        break;
      }
      if (kept > 2) return false;
    }
  }
  return true;
}

template <class T>
inline T Load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <class T>
void Decode(const uint8_t* encoded, const SparseShape& shape, uint64_t row_begin, uint64_t row_end, T* decoded) {
  const uint64_t row_groups = (shape.row_elements + 3) / 4;
  const uint64_t full = shape.row_elements / 4;
  const uint8_t* codes = encoded + shape.ValueBytes();
  for (uint64_t row = row_begin; row < row_end; ++row) {
    T* out = decoded + row * shape.row_elements;
    uint64_t group = row * row_groups;
    const uint8_t* values = encoded + group * 2 * sizeof(T);
    for (uint64_t i = 0; i < full; ++i, ++group, out += 4, values += 2 * sizeof(T)) {
      const unsigned code = codes[group / 2] >> (group % 2 * 4);
      // The second store first: an empty slot shares no position with a filled one, but a damaged code may.
      out[(code >> 2) & 3] = Load<T>(values + sizeof(T));
      out[code & 3] = Load<T>(values);
    }
    if (full == row_groups) continue;
    const unsigned tail = static_cast<unsigned>(shape.row_elements % 4);
    const unsigned code = codes[group / 2] >> (group % 2 * 4);
    const unsigned first = code & 3, second = (code >> 2) & 3;
    if (second < tail) out[second] = Load<T>(values + sizeof(T));
    if (first < tail) out[first] = Load<T>(values);
  }
}

}  // namespace

bool CanEncodeTwoFour(DType dtype) {
  const int bits = BitSize(dtype);
  return bits == 8 || bits == 16 || bits == 32;
}

std::optional<std::vector<uint8_t>> EncodeTwoFour(const void* data, const SparseShape& shape, bool is_float) {
  std::vector<uint8_t> encoded(shape.EncodedBytes());
  uint8_t* codes = encoded.data() + shape.ValueBytes();
  bool fits = false;
  switch (shape.element_bytes) {
    case 1:
      fits = Encode(static_cast<const uint8_t*>(data), shape, is_float, encoded.data(), codes);
      break;
    case 2:
      fits = Encode(static_cast<const uint16_t*>(data), shape, is_float, reinterpret_cast<uint16_t*>(encoded.data()),
                    codes);
      break;
    case 4:
      fits = Encode(static_cast<const uint32_t*>(data), shape, is_float, reinterpret_cast<uint32_t*>(encoded.data()),
                    codes);
      break;
    default:
      break;
  }
  if (!fits) return std::nullopt;
  return encoded;
}

void DecodeTwoFour(const uint8_t* encoded, const SparseShape& shape, uint64_t row_begin, uint64_t row_end,
                   void* decoded) {
  switch (shape.element_bytes) {
    case 1:
      return Decode(encoded, shape, row_begin, row_end, static_cast<uint8_t*>(decoded));
    case 2:
      return Decode(encoded, shape, row_begin, row_end, static_cast<uint16_t*>(decoded));
    case 4:
      return Decode(encoded, shape, row_begin, row_end, static_cast<uint32_t*>(decoded));
    default:
      return;
  }
}

}  // namespace tamis
