// Resize and Upsample: attributes, and every output element of an axis as a weighted sum of input elements. Shared by
// the operators and their kernels, so that both sample at the same places.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/ops/op_rule.h"

namespace tamis {

enum class ResizeMode : uint8_t { kNearest, kLinear, kCubic };
enum class ResizeCoordinates : uint8_t {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kCropAndResize,
};
enum class ResizeRounding : uint8_t { kPreferFloor, kPreferCeil, kFloor, kCeil, kFloorUpCeilDown };
enum class ResizePolicy : uint8_t { kStretch, kNotLarger, kNotSmaller };

struct ResizeOptions {
  ResizeMode mode = ResizeMode::kNearest;
  ResizeCoordinates coordinates = ResizeCoordinates::kHalfPixel;
  ResizeRounding rounding = ResizeRounding::kPreferFloor;
  ResizePolicy policy = ResizePolicy::kStretch;
  bool antialias = false;
  bool exclude_outside = false;
  double cubic_a = -0.75;
  float extrapolation = 0;
};

// `old`: Upsample, and Resize of opset 10, which have neither roi nor the attributes and sample at x / scale.
ResizeOptions ReadResizeOptions(const Node& node, bool old, NodeProblems* problems);

// How one axis is resized. `scale` is what was asked for: out / in only where that is a whole number of elements.
struct ResizeAxis {
  int64_t in = 1, out = 1;
  double scale = 1;
  double roi_begin = 0, roi_end = 1;

  // Whether output i is exactly input i.
  bool Identity(const ResizeOptions& options) const {
    const bool whole = options.coordinates != ResizeCoordinates::kCropAndResize || (roi_begin == 0 && roi_end == 1);
    return in == out && scale == 1 && whole;
  }
};

// Output i is sum_t weight[i * taps + t] * input[index[i * taps + t]], or the extrapolation value if outside[i].
struct ResizeTaps {
  int64_t taps = 1;
  std::vector<int64_t> index;  // always within the input
  std::vector<double> weight;
  std::vector<uint8_t> outside;  // empty unless the coordinates can leave the input
};
ResizeTaps TapsOf(const ResizeOptions& options, const ResizeAxis& axis);

// Reference evaluation into the allocated output 0. One entry of `axes` a dimension.
void ComputeResize(EvalContext& context, const ResizeOptions& options, const std::vector<ResizeAxis>& axes);

// One axis in shape inference. A size that does not follow from what is known is nullopt.
struct ResizePlan {
  std::optional<Dim> size;
  double scale = 1;
  double roi_begin = 0, roi_end = 1;
};
// Applies scale[i] to axis at[i] of a tensor of dimensions `shape`.
Status ScaleAxes(const InferContext& context, const Shape& shape, const Tensor& scales, const std::vector<int64_t>& at,
                 std::vector<ResizePlan>* plan);
// Sets output 0 from the plan; sizes that are not known become dimensions that depend on data.
Status SetResized(InferContext& context, const Shape& shape, const std::vector<ResizePlan>& plan);
// The plan at real sizes.
std::vector<ResizeAxis> ConcreteAxes(const std::vector<ResizePlan>& plan, const Dims& from, const Dims& to);

// floor(size * scale) where it has a form; nullopt for sizes without one, and for what no tensor can have.
std::optional<Dim> ScaledSize(const Dim& size, float scale);

}  // namespace tamis
