// Inference requests and responses of the KServe v2 protocol over gRPC.
#pragma once

#include <string>

#include "src/grpc/kserve.pb.h"
#include "src/server/protocol/infer_request.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

// As ParseInferRequest of JSON: unknown parameters are ignored, those that would change the answer and are not
// supported are refused by name, one error lists everything that is wrong.
Result<InferRequest> ParseGrpcRequest(const inference::ModelInferRequest& message, const Session& model,
                                      const SharedMemory* shared = nullptr);
// All outputs as raw bytes, whichever way the inputs came. Those of outputs in shared memory are empty.
Status MakeGrpcResponse(const InferRequest& request, const NamedTensors& outputs, const std::string& model,
                        const std::string& version, inference::ModelInferResponse* response);

}  // namespace tamis
