// Fuzz target: an inference request as it comes over gRPC.
#include <cstdint>

#include "src/grpc/grpc_request.h"
#include "src/server/fake_session.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto session = tamis::testing::MakeFakeSession();
  inference::ModelInferRequest message;
  if (!message.ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto request = tamis::ParseGrpcRequest(message, *session);
  if (!request.ok()) return 0;
  const auto outputs = session->Run(request->inputs);
  inference::ModelInferResponse response;
  if (outputs.ok()) (void)tamis::MakeGrpcResponse(*request, *outputs, "m", "1", &response);
  return 0;
}
