// What classifiers and regressors of ai.onnx.ml do with their scores, in operators of ONNX.
#pragma once

#include <string>
#include <string_view>

namespace tamis {

class ContribNode;

// Input 0 as f32; a vector as one row.
std::string FloatRows(ContribNode& node);
bool IsPostTransform(std::string_view transform);
// [N, E] after NONE, LOGISTIC, SOFTMAX, SOFTMAX_ZERO or PROBIT.
std::string Transformed(ContribNode& node, const std::string& scores, std::string_view transform);
// The column with the greatest score, [N].
std::string BestColumn(ContribNode& node, const std::string& scores);
// 1 where the score [N, 1] is above the threshold, 0 elsewhere, [N].
std::string IsAbove(ContribNode& node, const std::string& score, float threshold);
// Two columns, [N, 2].
std::string Pair(ContribNode& node, const std::string& first, const std::string& second);
// 1 - x
std::string OneMinus(ContribNode& node, const std::string& x);

// The labels of the node's attributes `strings` and `ints`.
int64_t NumLabels(const ContribNode& node, const std::string& strings, const std::string& ints);
// Output 0: the labels at `places`, [N].
void GiveLabels(ContribNode& node, const std::string& places, const std::string& strings, const std::string& ints);

}  // namespace tamis
