// propagate_quantization: products between DequantizeLinear and QuantizeLinear become int8 products that read codes,
// and write codes where their result is quantised again. Taken are
//
//   Conv, MatMul, Gemm   of DequantizeLinear(x) and DequantizeLinear(constant weight), a bias that is constant or
//                        DequantizeLinear of one; behind it the sum with another value of the same shape (a residual),
//                        an activation, and QuantizeLinear behind that
//   ConvTranspose        by tiles that do not overlap (tiling.h): likewise, without a residual
//   QLinearConv, QLinearMatMul   with constant weights, scales and zero points
//   MatMulInteger        of DynamicQuantizeLinear(x) and a constant weight, its Cast, the product with the scales, and
//                        a bias: DynamicQuantizedLinear, which quantises x itself
//
// Scales and zero points of x and y are one number each; the weight's scale may be one a column (or filter), and its
// zero point is subtracted once, here. A residual is taken as the codes that it is dequantised from, and as f32 where
// it has none or a convolution's sum is not quantised (oneDNN adds to what lies in y, in its type). A product that is
// quantised and dequantised on its way to a bias or a residual isn't rounded there: the sum is. Convolutions stand
// between two changes of order, which make_channels_last joins with its neighbours'. What isn't taken keeps its
// DequantizeLinear: fold_constants leaves those of weights alone, so that they can be found here, and fold_dequantized
// evaluates what is left of them.
#include <algorithm>
#include <cmath>
#include <utility>

#include "src/passes/all_passes.h"
#include "src/passes/channels_last.h"
#include "src/passes/codes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"
#include "src/passes/tiling.h"

namespace tamis {
namespace {

using Attributes = std::map<std::string, Attribute>;

// A weight as s8 codes without zero points, with one scale a column.
struct Weight {
  Tensor codes;
  std::vector<float> scales;
};

// `axis` is where the columns are; per-axis scales must lie along it.
std::optional<Weight> ReadWeight(const Graph& graph, ValueId value, ValueId scale, ValueId zero, int64_t scale_axis,
                                 int64_t axis) {
  const auto constant = [&](ValueId id) -> const Tensor* {
    return id != kNoValue && graph.value(id).IsConstant() ? &*graph.value(id).constant : nullptr;
  };
  const Tensor* codes = constant(value);
  const Tensor* scales = constant(scale);
  const Tensor* zeros = constant(zero);
  if (codes == nullptr || scales == nullptr || (zero != kNoValue && zeros == nullptr)) return std::nullopt;
  if (!Is8Bit(codes->dtype()) || scales->dtype() != DType::kFloat32 || axis >= codes->rank()) return std::nullopt;
  const int64_t columns = codes->dim(axis);
  if (scale_axis < 0) scale_axis += codes->rank();
  for (const Tensor* tensor : {scales, zeros}) {
    if (tensor == nullptr || tensor->NumElements() == 1) continue;
    if (tensor->NumElements() != columns || tensor->rank() != 1 || scale_axis != axis) return std::nullopt;
  }
  Weight weight{Tensor(DType::kInt8, codes->dims()), {}};
  int64_t inner = 1;
  for (int64_t i = axis + 1; i < codes->rank(); ++i) inner *= codes->dim(i);
  for (int64_t c = 0; c < columns; ++c) {
    weight.scales.push_back(scales->Data<float>()[scales->NumElements() == 1 ? 0 : c]);
  }
  const auto code_at = [](const Tensor& tensor, int64_t i) {
    return tensor.dtype() == DType::kUInt8 ? int64_t{reinterpret_cast<const uint8_t*>(tensor.raw())[i]}
                                           : int64_t{reinterpret_cast<const int8_t*>(tensor.raw())[i]};
  };
  for (int64_t i = 0; i < codes->NumElements(); ++i) {
    const int64_t column = i / inner % columns;
    const int64_t shift = zeros == nullptr ? 0 : code_at(*zeros, zeros->NumElements() == 1 ? 0 : column);
    const int64_t code = code_at(*codes, i) - shift;
    if (code < -128 || code > 127) return std::nullopt;
    weight.codes.Data<int8_t>()[i] = static_cast<int8_t>(code);
  }
  return weight;
}

// A bias of `columns` numbers in f32: constant, or DequantizeLinear of constants. An empty vector for an omitted one.
std::optional<std::vector<float>> ReadBias(const Graph& graph, ValueId id, int64_t columns) {
  std::vector<float> bias;
  if (id == kNoValue) return bias;
  if (graph.value(id).IsConstant()) {
    const Tensor& tensor = *graph.value(id).constant;
    if (tensor.dtype() != DType::kFloat32 || tensor.NumElements() != columns) return std::nullopt;
    return std::vector<float>(tensor.Span<float>().begin(), tensor.Span<float>().end());
  }
  const Node* node = Producer(graph, id, "DequantizeLinear");
  const Tensor* codes = node ? graph.ConstantInput(*node, 0) : nullptr;
  const Tensor* scales = node ? graph.ConstantInput(*node, 1) : nullptr;
  if (codes == nullptr || scales == nullptr || codes->dtype() != DType::kInt32 || codes->NumElements() != columns ||
      scales->dtype() != DType::kFloat32) {
    return std::nullopt;
  }
  if (node->input(2) != kNoValue) {
    const Tensor* zeros = graph.ConstantInput(*node, 2);
    if (zeros == nullptr) return std::nullopt;
    const auto values = zeros->ToInt64s();
    if (std::any_of(values.begin(), values.end(), [](int64_t zero) { return zero != 0; })) return std::nullopt;
  }
  const int64_t count = scales->NumElements();
  if (count != 1 && count != columns) return std::nullopt;
  for (int64_t c = 0; c < columns; ++c) {
    const double scale = scales->Data<float>()[count == 1 ? 0 : c];
    bias.push_back(static_cast<float>(scale * codes->Data<int32_t>()[c]));
  }
  return bias;
}

class Propagation {
 public:
  Propagation(Graph& graph, const PassOptions& options) : graph_(graph), rewriter_(graph, options), options_(options) {}

  void Convert(NodeId id) {
    const Node& node = graph_.node(id);
    if (!node.domain.empty()) return;
    if (node.Is("Conv") || node.Is("MatMul") || node.Is("Gemm")) return ConvertFloat(id);
    if (node.Is("ConvTranspose")) return ConvertTiling(id);
    if (node.Is("QLinearConv") || node.Is("QLinearMatMul")) return ConvertCodes(id);
    if (node.Is("MatMulInteger")) return ConvertDynamic(id);
  }

 private:
  // What a product reads, and how its result goes on.
  struct Product {
    bool conv = false;
    std::optional<Tiling> tiling;  // then the rest is of the tiles' product, but for the output
    Codes x;
    Weight weight;            // as its node has it
    std::vector<float> bias;  // empty: none
    Attributes attributes;    // activation, residual and y
    ValueId residual = kNoValue;
    ValueId output = kNoValue;
    std::string name;
  };

  void Missed(NodeId id, std::string_view reason) {
    options_.Missed(graph_, graph_.node(id).outputs[0], "int8 " + graph_.node(id).op, reason);
  }

  void ConvertFloat(NodeId id) {
    const Node& node = graph_.node(id);
    const auto x = DequantizedCodes(graph_, node.input(0));
    const Node* dequantized = Producer(graph_, node.input(1), "DequantizeLinear");
    if (!x || dequantized == nullptr) return;
    Product product;
    product.conv = node.Is("Conv");
    const bool gemm = node.Is("Gemm");
    const bool transposed = gemm && node.Int("transB", 0) != 0;
    const int64_t axis = product.conv || transposed ? 0 : 1;
    if (gemm && (node.Int("transA", 0) != 0 || node.Float("alpha", 1) != 1 || node.Float("beta", 1) != 1)) {
      return Missed(id, "it scales or transposes its operands");
    }
    if (dequantized->Int("block_size", 0) != 0) return Missed(id, "the weight has scales by blocks");
    auto weight = ReadWeight(graph_, dequantized->input(0), dequantized->input(1), dequantized->input(2),
                             dequantized->Int("axis", 1), axis);
    if (!weight) return Missed(id, "the weight isn't constant 8-bit codes with a scale a column");
    if (!product.conv && weight->codes.rank() != 2) return Missed(id, "the weight isn't a matrix");
    const auto columns = static_cast<int64_t>(weight->scales.size());
    const auto bias = ReadBias(graph_, node.Is("MatMul") ? kNoValue : node.input(2), columns);
    if (!bias) return Missed(id, "the bias isn't one constant number a column");
    product.x = *x;
    product.weight = std::move(*weight);
    product.bias = *bias;
    product.output = node.outputs[0];
    product.name = node.name;
    if (product.conv && !ReadWindow(node, &product)) return Missed(id, "its pads depend on the input's size");
    if (node.Is("MatMul") || gemm) TakeBias(&product, columns);
    TakeResidual(id, &product);
    TakeActivation(&product);
    TakeQuantization(&product);
    Make(id, std::move(product), transposed);
  }

  void ConvertTiling(NodeId id) {
    const Node& node = graph_.node(id);
    const auto x = DequantizedCodes(graph_, node.input(0));
    const Node* dequantized = Producer(graph_, node.input(1), "DequantizeLinear");
    const Tensor* codes = dequantized == nullptr ? nullptr : graph_.ConstantInput(*dequantized, 0);
    if (!x || codes == nullptr) return;
    Product product;
    product.tiling = TilingOf(graph_, node, codes->dims());
    if (!product.tiling) return Missed(id, "its tiles overlap, it has groups, or its sizes aren't known");
    if (dequantized->Int("block_size", 0) != 0) return Missed(id, "the weight has scales by blocks");
    auto weight = ReadWeight(graph_, dequantized->input(0), dequantized->input(1), dequantized->input(2),
                             dequantized->Int("axis", 1), 1);
    if (!weight) return Missed(id, "the weight isn't constant 8-bit codes with a scale an output channel");
    const auto bias = ReadBias(graph_, node.input(2), product.tiling->outputs);
    if (!bias) return Missed(id, "the bias isn't one constant number an output channel");
    product.conv = true;
    product.x = *x;
    product.weight = {TilingWeight(weight->codes), ForEachTile(weight->scales, *product.tiling)};
    product.bias = ForEachTile(*bias, *product.tiling);
    product.output = node.outputs[0];
    product.name = node.name;
    const size_t spatial = product.tiling->kernel.size();
    product.attributes = {{"strides", std::vector<int64_t>(spatial, 1)},
                          {"dilations", std::vector<int64_t>(spatial, 1)},
                          {"pads", std::vector<int64_t>(2 * spatial, 0)},
                          {"group", int64_t{1}}};
    TakeActivation(&product);
    TakeQuantization(&product);
    Make(id, std::move(product), false);
  }

  void ConvertCodes(NodeId id) {
    const Node& node = graph_.node(id);
    Product product;
    product.conv = node.Is("QLinearConv");
    const auto x = ScalarCodes(graph_, node.input(0), node.input(1), node.input(2), DTypeOf(graph_, node.input(0)));
    auto weight =
        ReadWeight(graph_, node.input(3), node.input(4), node.input(5), product.conv ? 0 : 1, product.conv ? 0 : 1);
    const auto y = ScalarCodes(graph_, kNoValue, node.input(6), node.input(7), DTypeOf(graph_, node.outputs[0]));
    if (!x || !weight || !y || (!product.conv && weight->codes.rank() != 2)) {
      return Missed(id, "scales, zero points or weight aren't constant, or have more numbers than columns");
    }
    const ValueId bias = product.conv ? node.input(8) : kNoValue;
    if (bias != kNoValue) {
      const Tensor* codes = graph_.ConstantInput(node, 8);
      if (codes == nullptr || codes->dtype() != DType::kInt32) return Missed(id, "the bias isn't constant");
      for (size_t c = 0; c < weight->scales.size(); ++c) {
        product.bias.push_back(
            static_cast<float>(x->scale * static_cast<double>(weight->scales[c]) * codes->Data<int32_t>()[c]));
      }
    }
    product.x = *x;
    product.weight = std::move(*weight);
    product.output = node.outputs[0];
    product.name = node.name;
    if (product.conv && !ReadWindow(node, &product)) return Missed(id, "its pads depend on the input's size");
    if (!TakeResidualOfCodes(id, *y, &product)) SetCodes(*y, &product.attributes);
    Make(id, std::move(product), false);
  }

  // The sum that reads the dequantised codes, where it can be the product's own.
  bool TakeResidualOfCodes(NodeId id, const Codes& y, Product* product) {
    if (!rewriter_.SingleUse(product->output)) return false;
    const Node& reader = graph_.node(rewriter_.Users(product->output)[0]);
    const auto codes = reader.Is("DequantizeLinear") ? CodesOf(graph_, reader) : std::nullopt;
    if (!codes || !codes->SameMapping(y)) return false;
    const ValueId before = std::exchange(product->output, reader.outputs[0]);
    TakeResidual(id, product);
    if (product->residual == kNoValue) {
      product->output = before;
      return false;
    }
    TakeActivation(product);
    TakeQuantization(product);
    return true;
  }

  // Explicit strides, pads and dilations; false where the pads are to be computed.
  bool ReadWindow(const Node& node, Product* product) {
    const Shape* shape = ShapeOf(graph_, node.outputs[0]);
    if (shape == nullptr || shape->size() < 3 || product->weight.codes.rank() != static_cast<int64_t>(shape->size())) {
      return false;
    }
    const size_t spatial = shape->size() - 2;
    const std::string auto_pad = node.String("auto_pad", "NOTSET");
    if (auto_pad != "NOTSET" && auto_pad != "VALID") return false;
    const std::vector<int64_t> ones(spatial, 1), zeros(2 * spatial, 0);
    product->attributes["strides"] = node.Ints("strides", ones);
    product->attributes["dilations"] = node.Ints("dilations", ones);
    product->attributes["pads"] = auto_pad == "VALID" ? zeros : node.Ints("pads", zeros);
    product->attributes["group"] = node.Int("group", 1);
    return true;
  }

  // The only reader of a value.
  const Node* Reader(ValueId value) const {
    if (!rewriter_.SingleUse(value)) return nullptr;
    const Node& reader = graph_.node(rewriter_.Users(value)[0]);
    return reader.domain.empty() && reader.outputs.size() == 1 ? &reader : nullptr;
  }

  void TakeBias(Product* product, int64_t columns) {
    const ValueId value = ThroughCodes(product->output);
    const Node* add = Reader(value);
    if (add == nullptr || !add->Is("Add") || !product->bias.empty()) return;
    const auto other = OtherOperand(*add, value);
    const int64_t rank = RankOf(graph_, value);
    if (!other || rank < 1) return;
    const bool folded = graph_.value(*other).IsConstant();
    if (folded && !IsPerChannel(graph_, *other, rank, rank - 1, columns)) return;
    const auto bias = ReadBias(graph_, *other, columns);
    if (!bias || bias->empty()) return;
    product->bias = *bias;
    product->output = add->outputs[0];
  }

  // Where `value` goes on after QuantizeLinear and DequantizeLinear that nothing else reads.
  ValueId ThroughCodes(ValueId value) const {
    if (!rewriter_.SingleUse(value)) return value;
    const Node& quantize = graph_.node(rewriter_.Users(value)[0]);
    if (!quantize.Is("QuantizeLinear") || !CodesOf(graph_, quantize) || !rewriter_.SingleUse(quantize.outputs[0])) {
      return value;
    }
    const Node& dequantize = graph_.node(rewriter_.Users(quantize.outputs[0])[0]);
    return dequantize.Is("DequantizeLinear") && CodesOf(graph_, dequantize) ? dequantize.outputs[0] : value;
  }

  // Whether `value` comes, through its codes, from a product behind this one that will be converted and can take the
  // sum itself.
  bool ComesFromLaterProduct(ValueId value, NodeId id) const {
    const auto codes = DequantizedCodes(graph_, value);
    const Node* quantize = codes ? Producer(graph_, codes->value, "QuantizeLinear") : nullptr;
    if (codes && !rewriter_.SingleUse(codes->value)) return false;
    const ValueId made = quantize != nullptr ? quantize->input(0) : codes ? codes->value : value;
    const NodeId producer = graph_.value(made).producer;
    if (producer == kNoNode || producer < id || !rewriter_.SingleUse(made)) return false;
    const Node& node = graph_.node(producer);
    if (node.Is("QLinearConv") || node.Is("QLinearMatMul")) return true;
    return (node.Is("Conv") || node.Is("MatMul") || node.Is("Gemm")) && DequantizedCodes(graph_, node.input(0)) &&
           Producer(graph_, node.input(1), "DequantizeLinear") != nullptr;
  }

  // Whether the value is quantised after an activation or at once.
  bool IsQuantised(ValueId value) const {
    for (int depth = 0; depth < 2 && rewriter_.SingleUse(value); ++depth) {
      const Node& reader = graph_.node(rewriter_.Users(value)[0]);
      if (reader.Is("QuantizeLinear")) return CodesOf(graph_, reader).has_value();
      if (!ActivationOf(graph_, reader)) return false;
      value = reader.outputs[0];
    }
    return false;
  }

  void TakeResidual(NodeId id, Product* product) {
    const ValueId value = ThroughCodes(product->output);
    if (!rewriter_.SingleUse(value)) return;
    const Node& add = graph_.node(rewriter_.Users(value)[0]);
    const auto other = add.Is("Add") ? OtherOperand(add, value) : std::nullopt;
    if (!other || graph_.value(*other).IsConstant() || !SameShape(graph_, *other, value)) return;
    if (ComesFromLaterProduct(*other, id)) return;
    const auto codes = DequantizedCodes(graph_, *other);
    const bool quantised = IsQuantised(add.outputs[0]);
    if (quantised && !codes) return Missed(id, "the residual is not quantised");
    if (codes && (quantised || !product->conv)) {
      product->residual = codes->value;
      product->attributes["residual_scale"] = static_cast<float>(codes->scale);
      product->attributes["residual_zero_point"] = codes->zero;
    } else if (DTypeOf(graph_, *other) == DType::kFloat32) {
      product->residual = *other;
    } else {
      return;
    }
    product->output = add.outputs[0];
  }

  void TakeActivation(Product* product) {
    const std::vector<NodeId> readers = rewriter_.Users(product->output);
    if (readers.size() == 2 && !rewriter_.IsOutput(product->output)) return TakeSilu(readers, product);
    const Node* reader = Reader(product->output);
    const auto activation = reader != nullptr ? ActivationOf(graph_, *reader) : std::nullopt;
    if (!activation || reader->input(0) != product->output) return;
    for (const auto& [name, value] : *activation) product->attributes[name] = value;
    product->output = reader->outputs[0];
  }

  // x * sigmoid(x), the two readers of the product.
  void TakeSilu(const std::vector<NodeId>& readers, Product* product) {
    for (size_t i : {size_t{0}, size_t{1}}) {
      const Node &sigmoid = graph_.node(readers[i]), &mul = graph_.node(readers[1 - i]);
      if (!sigmoid.Is("Sigmoid") || !mul.Is("Mul") || !rewriter_.SingleUse(sigmoid.outputs[0])) continue;
      if (OtherOperand(mul, product->output) != sigmoid.outputs[0]) continue;
      product->attributes["activation"] = std::string("Silu");
      product->output = mul.outputs[0];
      return;
    }
  }

  void TakeQuantization(Product* product) {
    const Node* reader = Reader(product->output);
    const auto y = reader != nullptr && reader->Is("QuantizeLinear") ? CodesOf(graph_, *reader) : std::nullopt;
    if (!y) return;
    product->output = reader->outputs[0];
    SetCodes(*y, &product->attributes);
  }

  ValueId Vector(const std::string& name, const std::vector<float>& values) {
    Tensor tensor(DType::kFloat32, {static_cast<int64_t>(values.size())});
    std::copy(values.begin(), values.end(), tensor.Data<float>());
    return rewriter_.AddConstant(name, std::move(tensor));
  }

  void Make(NodeId id, Product product, bool transposed) {
    const std::string op = graph_.node(id).op;
    const std::string weight_name = graph_.value(graph_.node(id).input(op.rfind("QLinear", 0) == 0 ? 3 : 1)).name;
    for (float& scale : product.weight.scales) scale = static_cast<float>(product.x.scale * static_cast<double>(scale));
    product.attributes["x_zero_point"] = product.x.zero;
    const auto rank = product.weight.codes.rank();
    const Tensor codes = product.tiling || transposed ? product.weight.codes
                         : product.conv               ? Transposed(product.weight.codes, ToChannelsLast(rank))
                                                      : Transposed(product.weight.codes, {1, 0});
    std::vector<ValueId> inputs = {product.x.value, rewriter_.AddConstant(weight_name + "_codes", codes),
                                   Vector(weight_name + "_scales", product.weight.scales)};
    if (!product.bias.empty()) inputs.push_back(Vector(weight_name + "_bias", product.bias));
    if (product.residual != kNoValue) {
      inputs.resize(5, kNoValue);
      inputs[4] = product.residual;
    }
    const NodeId slot = graph_.value(product.output).producer;
    options_.Matched(graph_, product.output,
                     "int8 " + op + (product.attributes.count("y_dtype") != 0 ? " to codes" : " to f32"));
    if (!product.conv) {
      rewriter_.Replace(
          slot, MakeNode("QuantizedLinear", kTamisDomain, inputs, {product.output}, product.attributes, product.name));
      return;
    }
    const Shape in = *ShapeOf(graph_, product.x.value), out = *ShapeOf(graph_, product.output);
    const Type in_type = Type::Tensor(product.x.dtype, Permuted(in, ToChannelsLast(rank)));
    const DType out_dtype = DTypeOf(graph_, product.output);
    const Type out_type = Type::Tensor(out_dtype, Permuted(out, ToChannelsLast(rank)));
    const std::string suffix(kChannelsLastSuffix);
    inputs[0] = rewriter_.Append("Transpose", "", {product.x.value}, {{"perm", ToChannelsLast(rank)}},
                                 graph_.value(product.x.value).name + suffix, in_type);
    if (product.residual != kNoValue) {
      const std::string name = graph_.value(product.residual).name + suffix;
      const Type type = Type::Tensor(DTypeOf(graph_, product.residual), out_type.shape);
      inputs[4] = rewriter_.Append("Transpose", "", {product.residual}, {{"perm", ToChannelsLast(rank)}}, name, type);
    }
    const std::string name = graph_.value(product.output).name;
    ValueId y = rewriter_.Append("QuantizedConv", kTamisDomain, inputs, product.attributes,
                                 name + (product.tiling ? "_tiles" : suffix),
                                 product.tiling ? Type::Tensor(out_dtype, product.tiling->tiles) : out_type);
    if (product.tiling) {
      ValueId target = kNoValue;
      const ValueId rows = TilesInOrder(rewriter_, y, *product.tiling, out_dtype, name, &target);
      y = rewriter_.Append("Reshape", "", {rows, target}, {}, name + suffix, out_type);
    }
    rewriter_.Replace(slot, MakeNode("Transpose", "", {y}, {product.output}, {{"perm", FromChannelsLast(rank)}}));
  }

  void ConvertDynamic(NodeId id) {
    const Node& node = graph_.node(id);
    const Node* quantize = Producer(graph_, node.input(0), "DynamicQuantizeLinear");
    if (quantize == nullptr || node.input(2) != quantize->outputs[2] || RankOf(graph_, node.input(1)) != 2) {
      return Missed(id, "its left side isn't quantised by DynamicQuantizeLinear, or its right side isn't a matrix");
    }
    if (!rewriter_.SingleUse(node.outputs[0])) return Missed(id, "several nodes read the sums");
    const Node& cast = graph_.node(rewriter_.Users(node.outputs[0])[0]);
    if (!cast.Is("Cast") || !rewriter_.SingleUse(cast.outputs[0])) return Missed(id, "the sums aren't cast to f32");
    const Node& scaled = graph_.node(rewriter_.Users(cast.outputs[0])[0]);
    const auto scales = scaled.Is("Mul") ? OtherOperand(scaled, cast.outputs[0]) : std::nullopt;
    const Node* product = scales ? Producer(graph_, *scales, "Mul") : nullptr;
    const auto weight_scale = product ? OtherOperand(*product, quantize->outputs[1]) : std::nullopt;
    if (!weight_scale) return Missed(id, "the sums aren't multiplied by both scales");
    auto weight = ReadWeight(graph_, node.input(1), *weight_scale, node.input(3), 1, 1);
    if (!weight) return Missed(id, "the weight isn't constant 8-bit codes with a scale a column");
    Product result;
    result.weight = std::move(*weight);
    result.output = scaled.outputs[0];
    result.name = node.name;
    const ValueId x = quantize->input(0);
    const std::string weight_name = graph_.value(node.input(1)).name;
    TakeBias(&result, static_cast<int64_t>(result.weight.scales.size()));
    TakeActivation(&result);
    options_.Matched(graph_, result.output, "int8 MatMulInteger with a dynamic scale");
    std::vector<ValueId> inputs = {
        x, rewriter_.AddConstant(weight_name + "_codes", Transposed(result.weight.codes, {1, 0})),
        Vector(weight_name + "_scales", result.weight.scales)};
    if (!result.bias.empty()) inputs.push_back(Vector(weight_name + "_bias", result.bias));
    rewriter_.Replace(graph_.value(result.output).producer, MakeNode("DynamicQuantizedLinear", kTamisDomain, inputs,
                                                                     {result.output}, result.attributes, result.name));
  }

  Graph& graph_;
  Rewriter rewriter_;
  const PassOptions& options_;
};

}  // namespace

Status PropagateQuantization(Graph& graph, const PassOptions& options) {
  Propagation propagation(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).removed) propagation.Convert(id);
  }
  return {};
}

}  // namespace tamis
