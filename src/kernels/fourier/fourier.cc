#include "src/kernels/fourier/fourier.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

struct Roots {
  std::vector<float> cosine, sine;
};

// Fours before twos: half the stages.
FourierPlan MakePlan(int64_t length, Roots* roots) {
  FourierPlan plan;
  plan.length = length;
  int64_t rest = length;
  const auto take = [&](int64_t factor) {
    for (; rest % factor == 0; rest /= factor) plan.factors[plan.stages++] = factor;
  };
  take(4);
  for (int64_t factor = 2; factor * factor <= rest; ++factor) take(factor);
  if (rest > 1) plan.factors[plan.stages++] = rest;
  for (int64_t i = 0; i < length; ++i) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(length);
    roots->cosine.push_back(static_cast<float>(std::cos(angle)));
    roots->sine.push_back(static_cast<float>(-std::sin(angle)));
  }
  plan.cosine = roots->cosine.data();
  plan.sine = roots->sine.data();
  return plan;
}

class Fourier : public RangeKernel<FourierArgs> {
 public:
  Fourier(const FourierArgs& args, FourierBody body, int64_t count, int threads, std::unique_ptr<Roots> roots)
      : RangeKernel(args, body, count, GrainFor(args.plan.length * 8), threads,
                    4 * static_cast<size_t>(args.plan.length + 16) * sizeof(float)),
        roots_(std::move(roots)) {}

 private:
  std::unique_ptr<Roots> roots_;
};

Result<int64_t> Number(const Operand& operand, const char* what) {
  if (operand.constant == nullptr || Elements(operand) != 1) return UserError("{} is not a constant number", what);
  return operand.constant->ToInt64s()[0];
}

struct Request {
  FourierArgs args;
  int64_t signals = 0;
};

// The axis as opset 20 has it, an input; older ones have an attribute, which the importer of neither changes.
Result<Request> ReadDft(const Problem& problem, Roots* roots) {
  const Node& node = *problem.node;
  const Dims &in = problem.input(0).dims, &out = problem.outputs[0].dims;
  int64_t given = node.Has("axis") ? node.Int("axis", 1) : -2;
  if (problem.input(2).Present()) {
    TAMIS_ASSIGN_OR_RETURN(given, Number(problem.input(2), "the axis"));
  } else if (!node.Has("axis") && in.size() != 3) {  // 1 before opset 20, -2 from it on
    return UserError("which axis is transformed depends on the opset");
  }
  const int64_t axis = NormalizeAxis(given, in.size());
  if (axis < 0 || axis + 1 == static_cast<int64_t>(in.size())) return UserError("axis {}", given);
  const auto at = static_cast<size_t>(axis);
  Request request;
  FourierArgs& args = request.args;
  args.inverse = node.Int("inverse", 0) != 0;
  args.to_real = args.inverse && node.Int("onesided", 0) != 0;
  args.mirrored = args.to_real;
  int64_t length = args.to_real ? 2 * (in[at] - 1) : in[at];
  if (problem.input(1).Present()) {
    TAMIS_ASSIGN_OR_RETURN(length, Number(problem.input(1), "dft_length"));
  }
  if (length < 1) return UserError("a length of {}", length);
  args.plan = MakePlan(length, roots);
  args.parts = in.back();
  args.given = std::min(in[at], args.to_real ? length / 2 + 1 : length);
  args.out = out[at];
  args.inner = args.stride = Product(in, at + 1, in.size() - 1);
  args.outer_stride = in[at] * args.inner;
  args.out_outer = out[at] * args.inner;
  request.signals = Product(in, 0, at) * args.inner;
  return request;
}

Result<Request> ReadStft(const Problem& problem, Roots* roots) {
  const Dims &in = problem.input(0).dims, &out = problem.outputs[0].dims;
  if (in.size() < 2 || in.size() > 3 || out.size() != 4) {
    return UserError("{} is not [batch, samples] or [batch, samples, parts]", ToString(in));
  }
  Request request;
  FourierArgs& args = request.args;
  TAMIS_ASSIGN_OR_RETURN(args.step, Number(problem.input(1), "frame_step"));
  int64_t length = in[1];
  args.window = problem.input(2).Present();
  if (args.window) length = Elements(problem.input(2));
  if (problem.input(3).Present()) {
    TAMIS_ASSIGN_OR_RETURN(length, Number(problem.input(3), "frame_length"));
  }
  if (length < 1 || (args.window && Elements(problem.input(2)) != length)) {
    return UserError("a frame of {} and a window of {}", length, Elements(problem.input(2)));
  }
  args.plan = MakePlan(length, roots);
  args.parts = in.size() == 3 ? in[2] : 1;
  args.given = length;
  args.out = out[2];
  args.frames = out[1];
  args.outer_stride = in[1];
  args.out_outer = out[2];
  request.signals = in[0] * out[1];
  return request;
}

Result<Request> ReadRequest(const Problem& problem, Roots* roots) {
  return problem.node->op == "STFT" ? ReadStft(problem, roots) : ReadDft(problem, roots);
}

}  // namespace

Status SupportsFourier(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.input(0).dtype != DType::kFloat32) {
    return UserError("input 0 is {}; float32 is supported", Name(problem.input(0).dtype));
  }
  if (problem.node->op == "STFT" && problem.input(2).Present() && problem.input(2).dtype != DType::kFloat32) {
    return UserError("the window is not float32");
  }
  Roots roots;
  return ReadRequest(problem, &roots).status();
}

Result<std::unique_ptr<PreparedKernel>> PrepareFourier(const Problem& problem, FourierBody body) {
  auto roots = std::make_unique<Roots>();
  TAMIS_ASSIGN_OR_RETURN(const Request request, ReadRequest(problem, roots.get()));
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<Fourier>(request.args, body, request.signals, problem.threads, std::move(roots)));
}

double FourierFlops(const Problem& problem) {
  return 40.0 * static_cast<double>(Elements(problem.outputs[0]));
}

}  // namespace tamis
