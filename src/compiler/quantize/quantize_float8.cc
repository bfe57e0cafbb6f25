#include "src/compiler/quantize/quantize_float8.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "src/compiler/calibrate/calibrate.h"
#include "src/compiler/calibrate/check_samples.h"
#include "src/compiler/calibrate/coverage.h"
#include "src/ops/op_float8.h"
#include "src/passes/channels_last.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

struct Product {
  NodeId node = kNoNode;
  bool outputs_first = false;  // the weight is [outputs][inputs]
  QuantizedLayer report;
};

class Float8Quantizer {
 public:
  Float8Quantizer(Graph& graph, const QuantizeOptions& options) : graph_(graph), options_(options) {}

  Result<QuantizeReport> Run(std::span<const NamedTensors> batches) {
    if (graph_.Opset() < kOldestFloat8Opset) {
      return UserError(
          "the network is of operator set {}; codes of float8 need {} or newer: export it again, or convert it with "
          "onnx.version_converter",
          graph_.Opset(), kOldestFloat8Opset);
    }
    FindProducts();
    TAMIS_RETURN_IF_ERROR(CheckKeep());
    if (batches.empty()) return UserError("quantisation needs samples of the network's inputs");
    TAMIS_RETURN_IF_ERROR(CheckInputs(graph_, batches));
    std::set<ValueId> activations;
    for (const Product& product : products_) {
      if (product.report.quantized) activations.insert(graph_.node(product.node).input(0));
    }
    CalibrateOptions calibrate;
    calibrate.threads = options_.threads;
    calibrate.cancelled = options_.cancelled;
    if (options_.progress) {
      calibrate.progress = [this](int done, int total) { options_.progress(done, total, "batch"); };
    }
    TAMIS_ASSIGN_OR_RETURN(const auto statistics, Calibrate(graph_, activations, {}, batches, calibrate));
    TAMIS_RETURN_IF_ERROR(CheckStatistics(statistics));
    QuantizeReport report;
    Describe(statistics, batches, &report);
    {
      Rewriter rewriter(graph_);
      for (Product& product : products_) {
        if (product.report.quantized) QuantizeWeight(rewriter, &product);
      }
      for (const auto& [value, of_value] : statistics) InsertCodes(rewriter, value, ScaleOf(of_value));
    }
    for (Product& product : products_) report.layers.push_back(std::move(product.report));
    TAMIS_RETURN_IF_ERROR(graph_.Sort());
    graph_.Compact();
    return report;
  }

 private:
  void FindProducts() {
    for (const NodeId id : graph_.NodeIds()) {
      const Node& node = graph_.node(id);
      const bool gemm = node.Is("Gemm");
      if (!node.Is("Conv") && !gemm && !node.Is("MatMul")) continue;
      const Tensor* weight = graph_.ConstantInput(node, 1);
      if (weight == nullptr || !IsFloat(weight->dtype()) || weight->rank() < 2) continue;
      Product product;
      product.node = id;
      product.outputs_first = gemm && node.Int("transB", 0) != 0;
      product.report.name = graph_.value(node.input(1)).name;
      product.report.node = node.name.empty() ? graph_.value(node.outputs[0]).name : node.name;
      product.report.op = node.op;
      product.report.reason = ReasonToStay(node, *weight);
      const auto is_this = [&](const std::string& name) {
        return name == product.report.name || name == product.report.node;
      };
      if (product.report.reason.empty() && std::any_of(options_.keep.begin(), options_.keep.end(), is_this)) {
        product.report.reason = "kept float as asked";
      }
      product.report.quantized = product.report.reason.empty();
      products_.push_back(std::move(product));
    }
  }

  std::string ReasonToStay(const Node& node, const Tensor& weight) const {
    if (node.Is("Conv")) return "a convolution";
    if (weight.dtype() != DType::kFloat32) return fmt::format("its weight is {}, not float32", Name(weight.dtype()));
    const Value& x = graph_.value(node.input(0));
    if (x.IsConstant() || x.type.dtype != DType::kFloat32) return "its input is constant or not float32";
    if (weight.rank() != 2) return fmt::format("a constant of rank {}, not a matrix", weight.rank());
    if (node.Is("Gemm") && (node.Float("alpha", 1) != 1 || node.Float("beta", 1) != 1 || node.Int("transA", 0) != 0)) {
      return "it scales or transposes its operands";
    }
    return "";
  }

  Status CheckKeep() const {
    std::string unknown, known;
    for (const Product& product : products_) known += (known.empty() ? "" : ", ") + product.report.name;
    for (const std::string& name : options_.keep) {
      const bool found = std::any_of(products_.begin(), products_.end(), [&](const Product& product) {
        return product.report.name == name || product.report.node == name;
      });
      if (!found) unknown += (unknown.empty() ? "'" : ", '") + name + "'";
    }
    if (unknown.empty()) return {};
    return UserError("no layer is called {}; there are: {}", unknown, known);
  }

  Status CheckStatistics(const std::map<ValueId, TensorStatistics>& statistics) const {
    std::string broken;
    for (const auto& [value, of_value] : statistics) {
      if (of_value.histogram.not_finite() > 0)
        broken += (broken.empty() ? "'" : ", '") + graph_.value(value).name + "'";
    }
    if (!broken.empty()) return UserError("with these samples {} are NaN or infinite somewhere", broken);
    return {};
  }

  static float ScaleOf(const TensorStatistics& of_value) {
    const float most = std::max(std::abs(of_value.histogram.min()), std::abs(of_value.histogram.max()));
    return std::isnormal(most / kFloat8Largest) ? most / kFloat8Largest : 1;
  }

  void Describe(const std::map<ValueId, TensorStatistics>& statistics, std::span<const NamedTensors> batches,
                QuantizeReport* report) const {
    report->type = "float8e4m3fn";
    for (const NamedTensors& batch : batches) {
      if (!batch.empty() && batch.begin()->second.rank() > 0) report->samples += batch.begin()->second.dim(0);
    }
    std::vector<NamedGrowth> ranges;
    for (const auto& [value, of_value] : statistics) {
      QuantizedTensor& tensor = report->tensors.emplace_back();
      tensor.name = graph_.value(value).name;
      tensor.low = of_value.histogram.min();
      tensor.high = of_value.histogram.max();
      tensor.map = {ScaleOf(of_value), 0, DType::kFloat8E4M3};
      tensor.growth = RangeGrowth(of_value);
      const bool input = std::find(graph_.inputs.begin(), graph_.inputs.end(), value) != graph_.inputs.end();
      tensor.record = ToRecord(tensor.name, input, report->samples, of_value.histogram, tensor.growth);
      ranges.push_back({tensor.name, tensor.growth});
    }
    const CoverageVerdict verdict = JudgeCoverage(ranges, report->samples, batches.size());
    report->settled = verdict.settled;
    report->verdict = verdict.text;
  }

  void QuantizeWeight(Rewriter& rewriter, Product* product) {
    const ValueId weight_id = graph_.node(product->node).input(1);
    const std::string name = graph_.value(weight_id).name;
    const Tensor original = *graph_.value(weight_id).constant;
    const Tensor rows = product->outputs_first ? original : Transposed(original, {1, 0});
    const int64_t outputs = rows.dim(0), depth = rows.dim(1);
    const Float8Rows rounded = RoundToFloat8(rows.Span<float>(), outputs);
    double square = 0, error = 0;
    for (int64_t i = 0; i < rows.NumElements(); ++i) {
      const auto at = static_cast<size_t>(i);
      const double w = rows.Data<float>()[i];
      const double made = DecodeFloat8(rounded.codes[at]) * rounded.scales[static_cast<size_t>(i / depth)];
      square += w * w, error += (w - made) * (w - made);
    }
    product->report.weight_error = square > 0 ? error / square : 0;
    Tensor codes(DType::kFloat8E4M3, rows.dims());
    std::memcpy(codes.raw(), rounded.codes.data(), rounded.codes.size());
    const Tensor scales = Tensor::Of<float>(DType::kFloat32, {outputs}, std::span<const float>(rounded.scales));
    const std::vector<ValueId> inputs = {
        rewriter.AddConstant(name + "_codes", product->outputs_first ? codes : Transposed(codes, {1, 0})),
        rewriter.AddConstant(name + "_scales", scales),
        rewriter.AddConstant(name + "_zeros", Tensor(DType::kFloat8E4M3, {outputs}))};
    rewriter.SetInput(
        product->node, 1,
        rewriter.Append("DequantizeLinear", "", inputs, {{"axis", int64_t{product->outputs_first ? 0 : 1}}},
                        name + "_dequantized", Type::Tensor(DType::kFloat32, ToShape(original.dims()))));
  }

  // The products that read the value read it by way of its codes.
  void InsertCodes(Rewriter& rewriter, ValueId value, float scale) {
    const std::string name = graph_.value(value).name;
    const Type type = graph_.value(value).type;
    const ValueId scale_id = rewriter.AddConstant(name + "_scale", Tensor::Float(scale));
    const ValueId zero_id = rewriter.AddConstant(name + "_zero_point", Tensor(DType::kFloat8E4M3, Dims{}));
    Type code_type = type;
    code_type.dtype = DType::kFloat8E4M3;
    const ValueId codes =
        rewriter.Append("QuantizeLinear", "", {value, scale_id, zero_id}, {}, name + "_quantized", code_type);
    const ValueId numbers =
        rewriter.Append("DequantizeLinear", "", {codes, scale_id, zero_id}, {}, name + "_coded", type);
    for (const Product& product : products_) {
      if (product.report.quantized && graph_.node(product.node).input(0) == value) {
        rewriter.SetInput(product.node, 0, numbers);
      }
    }
  }

  Graph& graph_;
  const QuantizeOptions& options_;
  std::vector<Product> products_;
};

}  // namespace

Result<QuantizeReport> QuantizeToFloat8(Graph& simplified, std::span<const NamedTensors> batches,
                                        const QuantizeOptions& options) {
  Graph graph = simplified.Clone();
  TAMIS_ASSIGN_OR_RETURN(QuantizeReport report, Float8Quantizer(graph, options).Run(batches));
  simplified = std::move(graph);
  return report;
}

}  // namespace tamis
