// The column routine of AVX2. Included by the gemm and conv kernels of this ISA.
#pragma once

#include "src/kernels/gemm/columns.h"

namespace tamis {

extern const ColumnsRoutine kColumnsAvx2;

}  // namespace tamis
