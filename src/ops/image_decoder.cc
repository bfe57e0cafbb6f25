// ImageDecoder: an encoded image as [height, width, channels] of 8 bits. What can't be decoded gives an empty result.
#include <string>
#include <string_view>

#include "src/ops/op_elementwise.h"
#include "src/ops/op_image.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const DType dtype = context.InputDType(0);
  if (dtype != DType::kUndefined && dtype != DType::kUInt8) {
    return context.Error(fmt::format("input 0 is {}, must be uint8", Name(dtype)));
  }
  const std::string format = context.node().String("pixel_format", "RGB");
  if (format != "RGB" && format != "BGR" && format != "Grayscale") {
    return context.Error(fmt::format("pixel_format is '{}', must be RGB, BGR or Grayscale", format));
  }
  if (const Shape* shape = context.InputShape(0); shape != nullptr && shape->size() != 1) {
    return context.Error(fmt::format("the encoded image must have one dimension, has {}", ToString(*shape)));
  }
  const Dim channels(format == "Grayscale" ? 1 : 3);
  return SetShape(context, 0, DType::kUInt8, {context.DataDim(0, 0), context.DataDim(0, 1), channels});
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindInputs(context).status());
  const Tensor& encoded = *context.input(0);
  const std::string format = context.node.String("pixel_format", "RGB");
  const std::string_view bytes(reinterpret_cast<const char*>(encoded.raw()), encoded.NumBytes());
  auto decoded = DecodeRgb(bytes);
  if (!decoded.ok()) return context.Error(decoded.status().message());
  const RgbImage image = decoded->value_or(RgbImage{});
  const int64_t channels = format == "Grayscale" ? 1 : 3;
  context.outputs[0] = Tensor(DType::kUInt8, {image.height, image.width, channels});
  auto* to = context.outputs[0].Data<uint8_t>();
  for (size_t i = 0; i + 3 <= image.pixels.size(); i += 3) {
    const uint8_t* rgb = image.pixels.data() + i;
    if (channels == 1) {  // luma of ITU-R BT.601 in 16 bits, rounded
      *to++ = static_cast<uint8_t>((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
    } else {
      for (size_t c = 0; c < 3; ++c) *to++ = rgb[format == "BGR" ? 2 - c : c];
    }
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  const std::string_view file = "P3 2 1 255 1 2 3 200 100 50";
  const Tensor encoded = Tensor::View(DType::kUInt8, {static_cast<int64_t>(file.size())}, file.data(), nullptr);
  return {{{encoded}, {}}, {{encoded}, {{"pixel_format", std::string("Grayscale")}}}};
}

}  // namespace

extern const OpDef op_image_decoder = {
    .name = "ImageDecoder", .domain = "", .since_opset = 20, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
