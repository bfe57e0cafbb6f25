#include "src/kernels/quantized/avx512/int8_dense_avx512.h"

namespace tamis {

const Int8Routine kInt8DenseVbmi = kRoutine;

}  // namespace tamis
