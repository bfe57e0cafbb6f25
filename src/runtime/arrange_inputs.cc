#include "src/runtime/arrange_inputs.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "src/runtime/plan_choice.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

std::string JoinNames(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) text += (text.empty() ? "'" : ", '") + spec.name + "'";
  return text;
}

// What is wrong with a value for an input; empty if nothing.
std::string Mismatch(const TensorSpec& spec, const Datum& datum) {
  bool fits = datum.IsNone() ? spec.optional : datum.IsSequence() == spec.sequence;
  std::string what = KindText(datum);
  if (fits && datum.IsTensor()) fits = datum.tensor().dtype() == spec.dtype;
  for (const Datum& element : datum.elements()) {
    if (!fits) break;
    fits = element.IsTensor() && element.tensor().dtype() == spec.dtype;
    if (!fits) what = "a sequence with " + KindText(element);
  }
  return fits ? std::string() : fmt::format("input '{}' is {}, the network wants {}", spec.name, what, spec.type);
}

}  // namespace

std::string KindText(const Datum& datum) {
  if (datum.IsNone()) return "nothing";
  if (datum.IsTensor()) return fmt::format("a tensor of {}", Name(datum.tensor().dtype()));
  return "a sequence";
}

Result<std::vector<Datum>> ArrangeInputs(const Graph& graph, const std::vector<TensorSpec>& specs,
                                         const std::vector<Profile>& profiles, const NamedData& inputs) {
  std::vector<std::string> problems;
  for (const auto& [input_name, datum] : inputs) {
    const bool known =
        std::any_of(specs.begin(), specs.end(), [&name = input_name](const auto& s) { return s.name == name; });
    if (!known) problems.push_back(fmt::format("unknown input '{}'; the network has {}", input_name, JoinNames(specs)));
  }
  std::vector<Datum> arranged;
  std::vector<Dims> dims;
  bool all_of_kind = true;
  for (const TensorSpec& spec : specs) {
    const auto found = inputs.find(spec.name);
    if (found == inputs.end() && !spec.optional) {
      problems.push_back(fmt::format("input '{}' is missing", spec.name));
      continue;
    }
    const Datum datum = found == inputs.end() ? Datum() : found->second;
    if (std::string problem = Mismatch(spec, datum); !problem.empty()) problems.push_back(std::move(problem));
    all_of_kind = all_of_kind && (datum.IsTensor() || !spec.IsTensor());
    arranged.push_back(datum);
    dims.push_back(datum.tensor().dims());
  }
  if (all_of_kind && arranged.size() == specs.size()) {
    const auto binding = BindSymbols(graph, dims);
    const Status fits = binding.ok() ? CheckProfiles(graph, profiles, dims) : binding.status();
    if (!fits.ok()) problems.push_back(fits.message());
  }
  if (problems.empty()) return arranged;
  return UserError("{}", fmt::join(problems, "; "));
}

}  // namespace tamis
