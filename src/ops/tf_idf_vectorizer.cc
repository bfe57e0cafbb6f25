// TfIdfVectorizer: how often each n-gram of a pool occurs in a row of tokens, weighted.
#include <algorithm>
#include <map>
#include <string>

#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

using Gram = std::vector<int64_t>;  // of token numbers

// The n-grams of the node's attributes, each with its place in the output.
struct Pool {
  std::map<std::string, int64_t> texts;  // token -> number, of a pool of strings
  std::map<int64_t, int64_t> integers;   // the same of one of integers
  std::map<Gram, int64_t> places;
  int64_t size = 0;  // of the output
  int64_t shortest = 1, longest = 1, skips = 0;
  std::vector<float> weights;
  bool truncate = false;  // counts above 1 are 1
};

const std::vector<std::string>* StringsOf(const Node& node, const std::string& name) {
  const auto found = node.attributes.find(name);
  return found == node.attributes.end() ? nullptr : std::get_if<std::vector<std::string>>(&found->second);
}

Result<Pool> ReadPool(const InferContext& context) {
  const Node& node = context.node();
  Pool pool;
  pool.shortest = node.Int("min_gram_length", 1);
  pool.longest = node.Int("max_gram_length", 1);
  pool.skips = node.Int("max_skip_count", 0);
  const std::string mode = node.String("mode", "");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF") {
    return context.Error(fmt::format("mode is '{}', must be TF, IDF or TFIDF", mode));
  }
  pool.truncate = mode == "IDF";
  if (mode != "TF") pool.weights = node.Floats("weights");
  if (pool.shortest < 1 || pool.longest < pool.shortest || pool.skips < 0) {
    return context.Error(fmt::format("n-grams of {} to {} tokens with up to {} skipped are not possible", pool.shortest,
                                     pool.longest, pool.skips));
  }
  const auto* texts = StringsOf(node, "pool_strings");
  const auto integers = node.Ints("pool_int64s");
  if ((texts != nullptr && !texts->empty()) == !integers.empty()) {
    return context.Error("either pool_strings or pool_int64s must be given");
  }
  Gram tokens;
  if (texts != nullptr) {
    for (const std::string& text : *texts) {
      tokens.push_back(pool.texts.emplace(text, static_cast<int64_t>(pool.texts.size())).first->second);
    }
  } else {
    for (const int64_t value : integers) {
      tokens.push_back(pool.integers.emplace(value, static_cast<int64_t>(pool.integers.size())).first->second);
    }
  }
  const auto starts = node.Ints("ngram_counts");
  const auto indexes = node.Ints("ngram_indexes");
  constexpr int64_t kMaxSize = int64_t{1} << 28;
  for (const int64_t index : indexes) {
    if (index < 0 || index >= kMaxSize) return context.Error(fmt::format("ngram_indexes has {}", index));
    pool.size = std::max(pool.size, index + 1);
  }
  const auto total = static_cast<int64_t>(tokens.size());
  size_t next = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto length = static_cast<int64_t>(i) + 1;
    const int64_t end = i + 1 < starts.size() ? starts[i + 1] : total;
    if (starts[i] < 0 || end < starts[i] || end > total || (end - starts[i]) % length != 0) {
      return context.Error(
          fmt::format("ngram_counts {} do not cut a pool of {} tokens into n-grams", ToString(starts), total));
    }
    for (int64_t at = starts[i]; at < end; at += length) {
      if (next >= indexes.size()) return context.Error("ngram_indexes has fewer entries than the pool n-grams");
      const Gram gram(tokens.begin() + at, tokens.begin() + at + length);
      if (length >= pool.shortest && length <= pool.longest) pool.places[gram] = indexes[next];
      ++next;
    }
  }
  if (!pool.weights.empty() && static_cast<int64_t>(pool.weights.size()) < pool.size) {
    return context.Error(fmt::format("{} weights are given for an output of {}", pool.weights.size(), pool.size));
  }
  return pool;
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_ASSIGN_OR_RETURN(const Pool pool, ReadPool(context));
  const DType dtype = context.InputDType(0);
  const bool fits = pool.integers.empty() ? dtype == DType::kString : dtype == DType::kInt32 || dtype == DType::kInt64;
  if (dtype != DType::kUndefined && !fits) {
    return context.Error(fmt::format("input 0 is {}, must be {} as the pool is", Name(dtype),
                                     pool.integers.empty() ? "string" : "int32 or int64"));
  }
  context.SetOutputDType(0, DType::kFloat32);
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) return {};
  if (shape->size() > 2)
    return context.Error(fmt::format("the tokens must be [C] or [N, C], are {}", ToString(*shape)));
  Shape result;
  if (shape->size() == 2) result.push_back((*shape)[0]);
  result.emplace_back(pool.size);
  return SetShape(context, 0, DType::kFloat32, std::move(result));
}

// Counts into `row` what occurs in `tokens`; a number below 0 is a token that the pool does not have.
void Count(const Pool& pool, const Gram& tokens, float* row) {
  const auto count = static_cast<int64_t>(tokens.size());
  for (int64_t step = 1; step <= std::min(pool.skips + 1, std::max<int64_t>(count, 1)); ++step) {
    // Skipping makes no difference to single tokens, which count once.
    const int64_t shortest = step > 1 ? std::max<int64_t>(pool.shortest, 2) : pool.shortest;
    for (int64_t first = 0; first < count; ++first) {
      Gram gram;
      for (int64_t at = first; at < count && tokens[static_cast<size_t>(at)] >= 0; at += step) {
        gram.push_back(tokens[static_cast<size_t>(at)]);
        const auto length = static_cast<int64_t>(gram.size());
        if (length > pool.longest) break;
        if (length < shortest) continue;
        if (const auto found = pool.places.find(gram); found != pool.places.end()) row[found->second] += 1;
      }
    }
  }
}

// Weights go by place in the output, as every implementation has them.
Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, BindAny(context));
  TAMIS_ASSIGN_OR_RETURN(const Pool pool, ReadPool(*bound->infer));
  const Tensor& x = *context.input(0);
  Gram numbers;
  if (x.dtype() == DType::kString) {
    for (const std::string& text : x.Span<std::string>()) {
      const auto found = pool.texts.find(text);
      numbers.push_back(found == pool.texts.end() ? -1 : found->second);
    }
  } else {
    for (const int64_t value : x.ToInt64s()) {
      const auto found = pool.integers.find(value);
      numbers.push_back(found == pool.integers.end() ? -1 : found->second);
    }
  }
  const int64_t rows = x.rank() == 2 ? x.dim(0) : 1;
  const int64_t columns = rows == 0 ? 0 : static_cast<int64_t>(numbers.size()) / rows;
  for (int64_t r = 0; r < rows; ++r) {
    float* row = context.outputs[0].Data<float>() + r * pool.size;
    Count(pool, Gram(numbers.begin() + r * columns, numbers.begin() + (r + 1) * columns), row);
    for (int64_t i = 0; i < pool.size; ++i) {
      if (pool.truncate) row[i] = std::min(row[i], 1.0f);
      if (!pool.weights.empty()) row[i] *= pool.weights[static_cast<size_t>(i)];
    }
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  const std::map<std::string, Attribute> attributes = {
      {"mode", std::string("TFIDF")},    {"min_gram_length", int64_t{1}},
      {"max_gram_length", int64_t{2}},   {"max_skip_count", int64_t{1}},
      {"ngram_counts", Dims{0, 2}},      {"ngram_indexes", Dims{1, 0, 2}},
      {"pool_int64s", Dims{2, 3, 2, 3}}, {"weights", std::vector<float>{1, 0.5f, 2}}};
  return {{{SampleInts(1, {2, 9}, 2, 4)}, attributes}};
}

}  // namespace

extern const OpDef op_tf_idf_vectorizer = {
    .name = "TfIdfVectorizer", .domain = "", .since_opset = 9, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
