// TensorScatter: a cache with `update` written over it along one axis, at an index of its own for each batch item.
#include <cstring>
#include <string>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

// Inputs: cache, update, write indices?.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 3));
  TAMIS_RETURN_IF_ERROR(CheckSameDType(context, 0, 1));
  if (context.HasInput(2)) TAMIS_RETURN_IF_ERROR(CheckDType(context, 2, kIntegers));
  const std::string mode = context.node().String("mode", "linear");
  if (mode != "linear" && mode != "circular") {
    return context.Error(fmt::format("mode is '{}', must be linear or circular", mode));
  }
  context.SetOutput(0, *context.InputType(0));
  const Shape* cache = context.InputShape(0);
  const Shape* update = context.InputShape(1);
  if (cache == nullptr) return {};
  TAMIS_ASSIGN_OR_RETURN(const int64_t axis,
                         ResolvedAxis(context, context.node().Int("axis", -2), static_cast<int64_t>(cache->size())));
  if (axis == 0) return context.Error("axis 0 is the batch, which is no sequence");
  bool fits = update == nullptr || update->size() == cache->size();
  for (size_t i = 0; update != nullptr && fits && i < cache->size(); ++i) {
    const auto have = (*cache)[i].Constant();
    const auto want = (*update)[i].Constant();
    fits = !have || !want || (static_cast<int64_t>(i) == axis ? *want <= *have : *want == *have);
  }
  if (!fits) {
    return context.Error(fmt::format("the update {} does not fit the cache {}", ToString(*update), ToString(*cache)));
  }
  const Shape* indices = context.InputShape(2);
  if (indices != nullptr && (indices->size() != 1 || !MayEqual((*indices)[0], (*cache)[0]))) {
    return context.Error(fmt::format("the write indices {} must be one for each of {} batch items", ToString(*indices),
                                     (*cache)[0].ToString()));
  }
  return {};
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const Tensor& cache = *context.input(0);
  const Tensor& update = *context.input(1);
  Tensor& output = context.outputs[0];
  if (cache.NumBytes() == 0) return {};
  std::memcpy(output.raw(), cache.raw(), cache.NumBytes());
  const int64_t axis = context.node.Int("axis", -2);
  const auto at = static_cast<size_t>(axis < 0 ? axis + cache.rank() : axis);
  const int64_t longest = cache.dims()[at];
  const int64_t length = update.dims()[at];
  const int64_t outer = CountOf(cache.dims(), 0, at);
  const int64_t inner = CountOf(cache.dims(), at + 1, cache.dims().size());
  const auto bytes = static_cast<size_t>(inner) * ElementBytes(cache);
  const bool circular = context.node.String("mode", "linear") == "circular";
  std::vector<int64_t> firsts(static_cast<size_t>(cache.dim(0)), 0);
  if (context.input(2) != nullptr) firsts = context.input(2)->ToInt64s();
  for (const int64_t first : firsts) {
    if (first >= 0 && (circular || first <= longest - length)) continue;
    return context.Error(fmt::format("{} elements from index {} on do not fit a cache of {}", length, first, longest));
  }
  for (int64_t o = 0; o < outer; ++o) {
    const int64_t first = firsts[static_cast<size_t>(o / (outer / cache.dim(0)))];
    for (int64_t s = 0; s < length; ++s) {
      const int64_t to = (first % longest + s) % longest;
      std::memcpy(output.raw() + static_cast<size_t>(o * longest + to) * bytes,
                  update.raw() + static_cast<size_t>(o * length + s) * bytes, bytes);
    }
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 3, 5, 4}), SampleFloats(2, {2, 3, 2, 4}), SampleInts(3, {2}, 0, 3)}, {}},
          {{SampleFloats(1, {2, 5, 4}), SampleFloats(2, {2, 3, 4}), SampleInts(3, {2}, 3, 4)},
           {{"mode", std::string("circular")}}}};
}

}  // namespace

extern const OpDef op_tensor_scatter = {.name = "TensorScatter",
                                        .domain = "",
                                        .since_opset = 1,
                                        .infer = Infer,
                                        .eval = EvalMoved<Eval>,
                                        .test_cases = Cases,
                                        .widen_half = false};

}  // namespace tamis
