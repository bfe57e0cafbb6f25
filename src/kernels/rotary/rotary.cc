#include "src/kernels/rotary/rotary.h"

#include "src/kernels/operand_check.h"

namespace tamis {

Status CheckRotary(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Dims &x = problem.input(0).dims, &cosine = problem.input(1).dims;
  const int64_t heads = problem.node->Int("num_heads", 0), turned = problem.node->Int("rotary_dim", 0);
  if ((x.size() != 3 && x.size() != 4) || heads < 1 || x[x.size() == 3 ? 2 : 1] % heads != 0) {
    return UserError("x {} isn't rows of {} heads", ToString(x), heads);
  }
  if (problem.input(1).dtype != DType::kFloat32 || problem.input(2).dtype != DType::kFloat32 ||
      cosine != problem.input(2).dims) {
    return UserError("the tables must be f32 and of one shape");
  }
  const bool ranks = cosine.size() == 2 || cosine.size() == 3;
  if (!ranks || (cosine.back() != turned && cosine.back() != turned / 2) ||
      cosine[cosine.size() - 2] != x[x.size() == 3 ? 1 : 2] ||
      (cosine.size() == 3 && cosine[0] != 1 && cosine[0] != x[0])) {
    return UserError("the tables {} don't fit x {} of which {} elements are turned", ToString(cosine), ToString(x),
                     turned);
  }
  return {};
}

RotaryArgs RotaryGeometry(const Problem& problem) {
  const Dims &x = problem.input(0).dims, &cosine = problem.input(1).dims;
  const bool packed = x.size() == 3;
  const int64_t heads = problem.node->Int("num_heads", 1);
  RotaryArgs args;
  args.size = packed ? x[2] / heads : x[3];
  args.half = problem.node->Int("rotary_dim", 0) / 2;
  args.interleaved = problem.node->Int("interleaved", 0) != 0;
  args.width = cosine.back();
  args.own_angles = args.width == 2 * args.half;
  args.positions = x[packed ? 1 : 2];
  args.divisor = packed ? heads : 1;
  args.batch_rows = heads * args.positions;
  args.batch_step = cosine.size() == 3 && cosine[0] > 1 ? args.positions * args.width : 0;
  return args;
}

int64_t RotaryRows(const Problem& problem) {
  const RotaryArgs args = RotaryGeometry(problem);
  return args.size == 0 ? 0 : problem.input(0).dims[0] * args.batch_rows;
}

Status SupportsRotary(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(0), "input 0 (x)"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.outputs[0], "output 0"));
  return CheckRotary(problem);
}

Result<std::unique_ptr<PreparedKernel>> PrepareRotary(const Problem& problem, RotaryBody body) {
  RotaryArgs args = RotaryGeometry(problem);
  args.bf16_input = IsBf16(problem.input(0));
  args.bf16_output = IsBf16(problem.outputs[0]);
  const int64_t rows = RotaryRows(problem);
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<RotaryArgs>>(args, body, rows, GrainFor(args.size / 4 + 8), problem.threads));
}

double RotaryFlops(const Problem& problem) {
  return 3.0 * static_cast<double>(Elements(problem.input(0)));
}

}  // namespace tamis
