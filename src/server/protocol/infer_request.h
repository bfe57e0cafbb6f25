// An inference request of the KServe v2 protocol: JSON, with tensors in it or as bytes behind it (binary extension).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/server/shared_memory.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

struct RequestedOutput {
  std::string name;
  bool binary = false;
  int64_t classes = 0;  // above 0: that many of the highest scores, as strings (classification.h)
  std::optional<SharedPlace> place = std::nullopt;  // where it is written instead of into the response
};

struct InferRequest {
  std::string id;
  uint64_t timeout_us = 0;               // it is not computed if it has waited longer; 0: it may wait
  NamedTensors inputs;                   // every input of the model, its type and rank as declared
  std::vector<RequestedOutput> outputs;  // all of the model's, in its order, if the request names none
};

// `header_length` is Inference-Header-Content-Length, the length of the JSON; absent: the whole body is JSON; 0: the
// whole body is the only input's bytes, and all outputs are wanted as bytes. Unknown
// fields are ignored; parameters that would change the answer and are not supported are refused by name. One error
// lists everything that is wrong. With an `owner` of the body, inputs whose bytes lie on multiples of 64 look at them
// where they are instead of copying them. Without `shared`, tensors in shared memory are refused.
Result<InferRequest> ParseInferRequest(std::string_view body, std::optional<std::string_view> header_length,
                                       const Session& model, std::shared_ptr<const void> owner = nullptr,
                                       const SharedMemory* shared = nullptr);

// Parameters of requests, inputs and outputs that would change the answer, and why they are refused.
inline constexpr std::pair<const char*, const char*> kRefusedParameters[] = {
    {"sequence_id", "requests are independent of one another here"},
};
// Numbers that clients give with whole requests. Without levels a priority changes nothing, as in Triton.
inline constexpr const char kTimeoutParameter[] = "timeout", kPriorityParameter[] = "priority";

// The outputs that a request asks for, in its order, as they are to be sent; those that have a place in shared memory
// are written there. An error (kUser) if one has no classes to tell, or does not fit its place.
Result<std::vector<Tensor>> TensorsToSend(const InferRequest& request, const NamedTensors& outputs);

struct InferResponse {
  std::string body;
  std::optional<size_t> json_bytes;  // set if tensors follow the JSON
};
// An error (kUser) where TensorsToSend has one, or if a string that is not UTF-8 is to be JSON.
Result<InferResponse> MakeInferResponse(const InferRequest& request, const NamedTensors& outputs,
                                        const std::string& model, const std::string& version);

}  // namespace tamis
