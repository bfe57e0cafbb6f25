// Activations over Vec for AVX2, as bodies of kernels take them. Included by the kernels; everything here is in their
// anonymous namespaces.
#pragma once

#include "src/kernels/gemm/avx2/finish_avx2.h"

namespace tamis {
namespace {

template <Activation kActivation>
class ActivatorAvx2 {
 public:
  explicit ActivatorAvx2(const Epilogue& epilogue) : parameters_(ParametersOf(epilogue)) {}
  TAMIS_INLINE Vec operator()(Vec v) const { return ActivateSum<kActivation>(v, parameters_); }

 private:
  ActivationParameters parameters_;
};

}  // namespace
}  // namespace tamis
