// Inference calls: alone and in streams. Threads of gRPC only begin and end them; workers compute them, so that what is
// quick (health, metadata) is answered however much there is to compute, and a client that is slow holds no thread.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <functional>

#include "src/grpc/kserve.grpc.pb.h"
#include "src/grpc/send_watch.h"
#include "src/server/server.h"

namespace tamis {

struct GrpcInferenceOptions {
  int workers = 2;
  int max_calls = 4096;  // waiting for a worker or computed by one
  int max_streams = 1024;
  size_t max_buffered_bytes = size_t{1} << 30;     // of requests, and of answers until they are sent
  std::chrono::milliseconds send_timeout{60'000};  // for a client to take an answer
};

// Thread-safe. Calls have ended before it goes.
class GrpcInference {
 public:
  GrpcInference(Server* server, const GrpcInferenceOptions& options);
  ~GrpcInference() { workers_.join(); }

  grpc::ServerUnaryReactor* Infer(grpc::CallbackServerContext* context, const inference::ModelInferRequest* request,
                                  inference::ModelInferResponse* response);
  grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>* Stream(
      grpc::CallbackServerContext* context);
  // Has a worker do what takes long.
  void Post(std::function<void()> work);

 private:
  class Held;
  class InferCall;
  class StreamCall;
  // Refuses at once, and counts that, what there was no place for.
  grpc::Status Compute(const grpc::CallbackServerContext& context, const Held& held,
                       const inference::ModelInferRequest& request, inference::ModelInferResponse* response);

  Server& server_;
  const GrpcInferenceOptions options_;
  Admission calls_, streams_;
  std::atomic<size_t> buffered_bytes_{0};
  SendWatch watch_;
  boost::asio::thread_pool workers_;
};

}  // namespace tamis
