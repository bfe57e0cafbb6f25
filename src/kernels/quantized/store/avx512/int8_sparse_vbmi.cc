#include "src/kernels/quantized/avx512/int8_sparse_avx512.h"

namespace tamis {

const Int8Routine kInt8SparseVbmi = kRoutine;

}  // namespace tamis
