// The geometry of windows that slide over images: what kernels of convolutions and pools have in common, on both sides
// of their launchers. Plain C++.
#pragma once

namespace tamis::cuda {

// Images [batch][in_h][in_w][channels] and results [batch][out_h][out_w]; images of one axis have height 1.
struct ConvGeometry {
  int batch = 0, channels = 0;
  int in_h = 1, in_w = 1, out_h = 1, out_w = 1;
  int kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1;

  void SetGeometry(const ConvGeometry& geometry) { *this = geometry; }
};

}  // namespace tamis::cuda
