// Activations over Vec for AVX-512, as bodies of kernels take them. Included by the kernels; everything here is in
// their anonymous namespaces.
#pragma once

#include "src/kernels/gemm/avx512/epilogue_avx512.h"
#include "src/kernels/vec.h"

namespace tamis {
namespace {

template <Activation kActivation>
class Activator512 {
 public:
  explicit Activator512(const Epilogue& epilogue) : epilogue_(epilogue) {
    if constexpr (kActivation == Activation::kGelu) gelu_ = LoadGelu();
  }
  TAMIS_INLINE Vec operator()(Vec v) const { return {Activate<kActivation>(v.v, epilogue_, gelu_)}; }

 private:
  const Epilogue& epilogue_;
  GeluRegisters gelu_;
};

}  // namespace
}  // namespace tamis
