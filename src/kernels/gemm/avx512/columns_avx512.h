// The column routine of AVX-512. Included by the gemm and conv kernels of this ISA.
#pragma once

#include "src/kernels/gemm/columns.h"

namespace tamis {

extern const ColumnsRoutine kColumnsAvx512;

}  // namespace tamis
