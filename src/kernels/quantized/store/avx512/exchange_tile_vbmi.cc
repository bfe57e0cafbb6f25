#include "src/kernels/quantized/avx512/int8_store_avx512.h"
#include "src/kernels/quantized/table_vbmi.h"

namespace tamis {

void ExchangeTileVbmi(const Int8Task& task, int64_t first_row, int rows, const int32_t* sums) {
  StoreCodeTile(task, first_row, rows, sums, TableVbmi(*task.result->table));
}

}  // namespace tamis
