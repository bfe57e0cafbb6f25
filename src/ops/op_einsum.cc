#include "src/ops/op_einsum.h"

#include <algorithm>
#include <map>
#include <set>

namespace tamis {
namespace {

// Ellipsis axes are labelled -1 (the last), -2, ...; letters are positive.
constexpr int kEllipsis = 0;

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::vector<int> ParseTerm(const std::string& term, NodeProblems* problems) {
  std::vector<int> labels;
  for (size_t i = 0; i < term.size(); ++i) {
    if (IsLetter(term[i])) {
      labels.push_back(term[i]);
    } else if (term.compare(i, 3, "...") == 0 && std::count(labels.begin(), labels.end(), kEllipsis) == 0) {
      labels.push_back(kEllipsis);
      i += 2;
    } else {
      problems->Add("the term '{}' of the equation may hold letters and one '...' only", term);
      break;
    }
  }
  return labels;
}

void ExpandEllipsis(size_t axes, std::vector<int>* labels) {
  const auto at = std::find(labels->begin(), labels->end(), kEllipsis);
  if (at == labels->end()) return;
  std::vector<int> expanded;
  for (size_t i = 0; i < axes; ++i) expanded.push_back(-static_cast<int>(axes - i));
  const auto position = labels->erase(at);
  labels->insert(position, expanded.begin(), expanded.end());
}

std::vector<std::string> SplitTerms(const std::string& text) {
  std::vector<std::string> terms(1);
  for (char c : text) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back() += c;
    }
  }
  return terms;
}

// Labels that occur once, in alphabetical order, behind the ellipsis.
std::vector<int> ImplicitOutput(const std::vector<std::vector<int>>& inputs) {
  std::map<int, int> uses;
  for (const auto& labels : inputs) {
    for (int label : labels) ++uses[label];
  }
  std::vector<int> output;
  for (const auto& [label, count] : uses) {
    if (label == kEllipsis || count == 1) output.push_back(label);
  }
  return output;
}

}  // namespace

EinsumEquation ParseEinsum(const std::string& equation, const std::vector<size_t>& ranks, NodeProblems* problems) {
  EinsumEquation parsed;
  std::string text = equation;
  std::erase(text, ' ');
  const size_t arrow = text.find("->");
  for (const std::string& term : SplitTerms(text.substr(0, arrow))) parsed.inputs.push_back(ParseTerm(term, problems));
  if (parsed.inputs.size() != ranks.size()) {
    problems->Add("the equation '{}' has {} terms but the node has {} inputs", equation, parsed.inputs.size(),
                  ranks.size());
  }
  parsed.output =
      arrow == std::string::npos ? ImplicitOutput(parsed.inputs) : ParseTerm(text.substr(arrow + 2), problems);
  if (!problems->empty()) return parsed;

  size_t ellipsis_axes = 0;
  for (size_t i = 0; i < ranks.size(); ++i) {
    auto& labels = parsed.inputs[i];
    const bool has_ellipsis = std::count(labels.begin(), labels.end(), kEllipsis) != 0;
    const size_t letters = labels.size() - (has_ellipsis ? 1 : 0);
    if (has_ellipsis ? ranks[i] < letters : ranks[i] != letters) {
      problems->Add("term {} of the equation '{}' doesn't fit an input of {} dimensions", i, equation, ranks[i]);
      continue;
    }
    ExpandEllipsis(ranks[i] - letters, &labels);
    if (has_ellipsis) ellipsis_axes = std::max(ellipsis_axes, ranks[i] - letters);
  }
  ExpandEllipsis(ellipsis_axes, &parsed.output);
  std::set<int> known;
  for (const auto& labels : parsed.inputs) known.insert(labels.begin(), labels.end());
  std::set<int> seen;
  for (int label : parsed.output) {
    if (!seen.insert(label).second) problems->Add("the result of the equation '{}' names an axis twice", equation);
    if (known.count(label) == 0) {
      problems->Add("the result of the equation '{}' names an axis that no input has", equation);
    }
  }
  return parsed;
}

}  // namespace tamis
